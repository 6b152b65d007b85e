"""Repeated reasons: clusters against a slow twin, planted templates and none; real arguments."""

import csv
import random

import pytest
from analysis_cases import answers, figure, view
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.fuzz import ratio
from rationale_rm.analysis import Sampling, templates
from rationale_rm.analysis.masking import mask
from rationale_rm.analysis.near_duplicates import SIMILAR, cluster

FEW = Sampling(n_resamples=200)


def slow_clusters(texts, similar):
    """Each text joins the leader that it resembles most, compared with all of them."""
    leaders = []
    for number, text in enumerate(texts):
        known = [place for place, leader in enumerate(leaders) if leader == place]
        best = max(known, key=lambda place: (ratio(text, texts[place]), -place), default=None)
        found = best is not None and ratio(text, texts[best]) / 100 >= similar
        leaders.append(best if found else number)
    return leaders


def varied(seed, n_templates=40, n_each=6):
    """Texts of some templates, each with one or two letters changed."""
    generator = random.Random(seed)
    words = ["".join(generator.choice("abcdefghijklmnop") for _ in range(generator.randint(3, 9))) for _ in range(400)]
    texts = []
    for _ in range(n_templates):
        base = " ".join(generator.choice(words) for _ in range(15))
        for _ in range(n_each):
            letters = list(base)
            for _ in range(2):
                letters[generator.randrange(len(letters))] = "z"
            texts.append("".join(letters))
    return list(dict.fromkeys(texts))


@given(st.integers(0, 100))
@settings(max_examples=5, deadline=None)
def test_clusters_are_those_of_comparing_all(seed):
    texts = varied(seed)
    assert cluster(texts) == slow_clusters(texts, SIMILAR)


@given(st.lists(st.text(max_size=12), max_size=12, unique=True))
def test_a_cluster_never_holds_what_is_not_alike(texts):
    texts = [text for text in texts if text.isprintable()]
    for text, leader in zip(texts, cluster(texts), strict=True):
        assert ratio(text, texts[leader]) / 100 >= SIMILAR - 1e-9


def test_small_changes_do_not_chain():
    words = [f"word{number}" for number in range(15)]
    steps = [" ".join([f"x{k}" for k in range(changed)] + words[changed:]) for changed in range(8)]
    assert cluster(steps) == slow_clusters(steps, SIMILAR) == [0, 0, 0, 0, 4, 4, 4, 4]


@pytest.mark.data
def test_near_duplicates_of_real_arguments_are_found_as_by_comparing_all(data_folder):
    with open(data_folder / "kpa2021" / "arguments_dev.csv", encoding="utf-8", newline="") as stream:
        arguments = list(dict.fromkeys(mask(row["argument"]) for row in csv.DictReader(stream)))
    assert len(arguments) > 900
    for similar, missed in ((0.9, 0), (0.8, 1)):
        found, slow = cluster(arguments, similar=similar), slow_clusters(arguments, similar)
        joined = sum(leader != number for number, leader in enumerate(slow))
        assert joined > 0
        assert sum(a != b for a, b in zip(found, slow, strict=True)) <= missed


ADJECTIVES = ("clear", "short", "odd", "dense", "loud", "plain", "weak", "rich", "dull", "sharp")


def unlike(generator, pair, rank):
    """A reason like no other."""
    words = [
        "".join(generator.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(generator.randint(3, 9)))
        for _ in range(12)
    ]
    return " ".join(words) + f" {pair} {rank}"


def model(seed, share, n=60, name="m"):
    """Three reasons an answer, of which `share` follow one of two templates."""
    generator = random.Random(seed)
    views = []
    for pair in range(n):
        reasons = []
        for rank in range(3):
            if generator.random() < share:
                number = generator.randint(1, 999)
                reasons.append(
                    generator.choice(
                        (f"Response A gives {number} examples where none is needed.", f'It says "{number}" and stops.')
                    )
                )
            else:
                reasons.append(unlike(generator, pair, rank))
        views.append(view(pair, model=name, reasons=reasons, scores=(0, 0, 0)))
    return views


def test_planted_templates_are_found_and_unlike_reasons_are_not():
    found = templates(answers(*model(0, 0.5), *model(1, 0.0, name="n")), FEW)
    planted = figure(found, "m", "template_share")
    followed = sum(
        "examples where" in reason or reason.startswith("It says") for one in model(0, 0.5) for reason in one.reasons
    )
    assert (planted.value, planted.n) == (pytest.approx(followed / 180), 180)
    assert 0.3 < planted.low < planted.value < planted.high < 0.6
    for kind in ("duplicate", "template", "near_duplicate"):
        assert figure(found, "n", f"{kind}_share").value == 0
    largest = [point for point in found.points if (point["model"], point["kind"]) == ("m", "template")]
    assert {point["template"] for point in largest} == {
        "<side> gives <number> examples where none is needed .",
        "it says <quote> and stops .",
    }
    assert sum(point["share"] for point in largest) == pytest.approx(planted.value)
    for point in largest:
        assert 1 < len(point["examples"]) <= 3
        assert len({example["reason"] for example in point["examples"]}) == len(point["examples"])
        assert all(mask(example["reason"]) == point["template"] for example in point["examples"])
    assert not [point for point in found.points if point["model"] == "n"]
    assert "compare models over the same pairs" in found.notes[0]


def test_the_kinds_hold_each_other():
    found = templates(answers(*model(2, 0.4)), FEW)
    shares = [figure(found, "m", f"{kind}_share").value for kind in ("duplicate", "template", "near_duplicate")]
    assert shares == sorted(shares)


def test_duplicates_are_templates_whatever_their_capitals():
    reasons = ["It asks Ada Lovelace twice.", "it asks ada lovelace twice.", "IT ASKS ADA LOVELACE TWICE."]
    for some in (reasons, reasons[::-1], reasons[1:]):
        found = templates(answers(*(view(k, reasons=[one], scores=(0,)) for k, one in enumerate(some))), FEW)
        for kind in ("duplicate", "template", "near_duplicate"):
            assert figure(found, "m", f"{kind}_share").value == 1


def test_near_duplicates_join_what_the_mask_leaves_apart():
    reasons = [
        f"It is too {word} to be of help to anybody who wants to learn how a list is reversed here."
        for word in ADJECTIVES
    ]
    found = templates(answers(*(view(k, reasons=[reason], scores=(0,)) for k, reason in enumerate(reasons))), FEW)
    assert figure(found, "m", "template_share").value == 0
    assert figure(found, "m", "near_duplicate_share").value == 1
    (point,) = found.points
    assert (point["kind"], point["n_reasons"], point["n_pairs"]) == ("near_duplicate", 10, 10)


def test_both_orders_of_a_pair_repeat_nothing():
    views = [
        view(k, id=f"p{k}{end}", swapped=bool(end), reasons=[f"{ADJECTIVES[k]} {'x' * (9 * k)} point"], scores=(0,))
        for k in range(5)
        for end in ("", "#swapped")
    ]
    found = templates(answers(*views), FEW)
    assert figure(found, "m", "near_duplicate_share").value == 0
    assert figure(found, "m", "template_share").n == 10


def test_more_pairs_may_be_asked_for():
    views = [view(k, reasons=["The same thing."], scores=(0,)) for k in range(3)]
    assert figure(templates(answers(*views), FEW, min_pairs=3), "m", "duplicate_share").value == 1
    assert figure(templates(answers(*views), FEW, min_pairs=4), "m", "duplicate_share").value == 0


def test_the_order_of_answers_changes_nothing():
    views = model(3, 0.4)
    shuffled = random.Random(0).sample(views, len(views))
    first, second = (templates(answers(*(view for view in some)), FEW) for some in (views, shuffled))
    assert first == second


def test_reasons_that_are_blank_or_not_there_are_no_template():
    found = templates(answers(*(view(k, reasons=[" "], scores=(0,)) for k in range(3))), FEW)
    assert figure(found, "m", "template_share").unavailable == "no answer holds a reason"
