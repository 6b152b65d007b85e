"""The rule-based labeller of reasons: each rule on small cases, its agreement with labelled ones, hostile text."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rationale_rm.analysis.taxonomy import CLASSES, FLAWS, Labels, label
from rationale_rm.analysis.taxonomy.agreement import kappa
from rationale_rm.judge.local.words import MAX_CHARACTERS

DEV = Path(__file__).parent / "reasons" / "dev.jsonl"
VERDICTS = {"A>>B": 2, "A>B": 1, "B>A": -1, "B>>A": -2}
CONTEXT = [{"role": "user", "content": "How long do I boil pasta? Two sentences, please."}]
FIRST = "Boil spaghetti for 9 minutes in salted water. Taste a strand before you drain the pot."
SECOND = "Pasta is a beloved dish from Italy!\n\nIt is boiled until done. Do you like `al_dente` noodles? Enjoy 😋"


def one(reason, verdict=1, *, context=CONTEXT, **more):
    (found,) = label(context, FIRST, SECOND, verdict, [reason], **more)
    return found


def flaws(reason, verdict=1, **more):
    return set(one(reason, verdict, **more).flaws)


# Classes.


@pytest.mark.parametrize(
    "reason",
    [
        'A says "Taste a strand", B says nothing of the kind.',
        "A gives 9 minutes, B gives no duration.",
        "Only B speaks of `al_dente`.",
        "A wants the water salted and a strand tasted, B does not.",
        "B has five sentences where A keeps to the limit.",
        "B ends with 😋, A does not.",
        "A’s “TASTE  a strand” is a test that B lacks.",  # other quotation marks, case and spaces
    ],
)
def test_what_can_be_found_grounds_a_reason(reason):
    assert one(reason).group == "EG"


@pytest.mark.parametrize(
    "reason",
    [
        "A is safer for beginners than B.",
        "A respects the requested length, B does not.",
        "Food hygiene matters here, and A is stricter about it than B.",
    ],
)
def test_a_criterion_without_a_place(reason):
    assert one(reason).group == "CG"


@pytest.mark.parametrize(
    ("reason", "flaw"),
    [
        ("A is better formatted than B.", "F1"),
        ("A's tone is warmer than B's.", "F1"),
        ("A is more accurate than B.", "F2"),
        ("A has fewer errors than B.", "F2"),
        ("A is more complete than B.", "F3"),
        ("A follows the instructions more closely than B.", "F3"),
    ],
)
def test_a_generic_reason_has_the_flaw_of_its_words(reason, flaw):
    found = one(reason)
    assert found.group == "GS"
    assert found.flaws == (flaw,)


def test_generic_praise_has_no_flaw_of_its_own():
    assert one("A is more helpful than B.") == Labels("GS", ())


def test_style_that_was_asked_for_is_a_criterion():
    reason = "A's tone is formal, B's is not."
    assert one(reason).flaws == ("F1",)
    formal = [{"role": "user", "content": "How long do I boil pasta? In a formal tone."}]
    assert one(reason, context=formal) == Labels("CG", ())


# Flaws.


def test_praise_of_one_side_alone():
    assert "F4" in flaws("A is helpful.")
    assert "F4" not in flaws("A is helpful, and B is not.")
    assert "F4" not in flaws("A is the more helpful one.")
    assert "F4" not in flaws("Only A is helpful.")
    assert "F4" in flaws('"Taste a strand" is good advice.')
    assert "F4" not in flaws('"Taste a strand" is advice, "a beloved dish" is filler.')  # a quotation from each


@pytest.mark.parametrize("reason", ["One senses a soul in A.", "A must have been written with love.", "A has an aura."])
def test_what_nothing_could_show_to_be_wrong(reason):
    found = one(reason)
    assert found.group == "GS"
    assert "F5" in found.flaws


def test_a_reason_that_speaks_for_the_other_side():
    assert "F6" in flaws("A is wrong, B is right.")
    assert "F6" not in flaws("A is wrong, B is right.", -1)
    assert "F6" in flaws("B is helpful and complete.")
    assert "F6" not in flaws("B is helpful and complete.", -1)
    assert "F6" in flaws("B is more helpful than A.")
    assert "F6" not in flaws("B is more helpful than A.", -1)
    assert "F6" not in flaws("B is less helpful than A.")
    assert "F6" not in flaws("A is wrong, B is right.", None)  # nobody knows what it was given for
    assert "F6" not in flaws("A is wrong, B is right.", 0)


@pytest.mark.parametrize(
    "reason", ["A has no errors.", "A makes fewer mistakes.", "A isn't wrong.", "A avoids errors."]
)
def test_a_fault_that_is_denied_is_none(reason):
    assert "F6" not in flaws(reason)


def test_a_conclusion_of_its_own_and_what_both_have():
    assert "F6" in flaws("B mentions Italy, and Italy has a long coast, so A is better.")
    assert "F6" in flaws("Both responses are about pasta.")
    assert "F6" not in flaws("Both responses are about pasta, but only A gives 9 minutes.")


@pytest.mark.parametrize(
    "reason",
    [
        'B says "boil it for 12 minutes", A says 9.',
        'A claims "a beloved dish from Italy", B does not.',  # it is B's
        "B quotes 12 minutes.",
        "B omits that noodles may be liked.",
        "A goes over 80 words, B stays under.",
        "B has no question, A has.",
        "B has no emoji, A has.",
    ],
)
def test_what_the_texts_show_to_be_false(reason):
    assert "F7" in flaws(reason)


@pytest.mark.parametrize(
    "reason",
    [
        'B says "beloved … Italy!", A does not.',  # what is left out
        "A has no question, B has.",
        "A stays under 80 words.",
        "A says 9 minutes.",
        "A omits Italy.",
    ],
)
def test_what_the_texts_bear_out(reason):
    assert "F7" not in flaws(reason)


def test_a_false_fault_of_the_preferred_response_speaks_against_it():
    reason = "B omits that noodles may be liked, A has it."
    assert flaws(reason, -1) >= {"F6", "F7"}
    assert "F6" not in flaws(reason, 1)


def test_other_languages_are_read_by_places_and_sides():
    assert one('A nennt "9 minutes", B nicht.').group == "EG"
    assert "F4" not in flaws('A nennt "9 minutes", B nicht.')
    assert one("La réponse A est plus claire que la réponse B.").group == "GS"
    assert one("A更准确。").flaws[:1] == ("F2",)


# What holds for any text.

WORDS = (
    "A|B|Response A|'s|is|not|more|better|wrong|tone|omits|9|12|minutes|\"|`|“|”|…|,|.|\n|strand|Italy|al_dente|only"
    "|over|80|words|\ud800|the second poem|than|so|soul|no|question|更|准确|🍝|«|»|1.2,3"
)
TEXTS = st.text(max_size=60) | st.lists(st.sampled_from([*WORDS.split("|"), "x" * 90]), max_size=25).map(" ".join)


@settings(deadline=None)
@given(
    reasons=st.lists(TEXTS, max_size=4),
    first=TEXTS,
    second=TEXTS,
    said=TEXTS,
    verdict=st.sampled_from([None, *range(-2, 3)]),
)
def test_any_text_has_labels_of_the_manual(reasons, first, second, said, verdict):
    found = label([{"role": "user", "content": said}], first, second, verdict, reasons)
    assert len(found) == len(reasons)
    for labels in found:
        assert labels.group in CLASSES
        assert labels.flaws == tuple(name for name in FLAWS if name in labels.flaws)


@settings(deadline=None)
@given(reasons=st.lists(TEXTS, max_size=4), first=TEXTS, second=TEXTS, verdict=st.sampled_from([None, *range(-2, 3)]))
def test_a_swapped_pair_has_the_labels_of_the_pair_as_it_was_shown(reasons, first, second, verdict):
    shown = label(CONTEXT, first, second, verdict, reasons)
    turned = None if verdict is None else -verdict
    assert label(CONTEXT, second, first, turned, reasons, swapped=True) == shown


@given(
    reasons=st.permutations(["A is clear.", "B is wrong.", 'A says "Taste a strand".', "Both are alike.", "9 minutes"])
)
def test_labels_do_not_depend_on_the_other_reasons(reasons):
    assert label(CONTEXT, FIRST, SECOND, 1, reasons) == [one(reason) for reason in reasons]


@settings(max_examples=20, deadline=None)
@given(reason=TEXTS, more=TEXTS)
def test_of_a_long_reason_the_beginning_counts(reason, more):
    start = (reason + " word" * MAX_CHARACTERS)[:MAX_CHARACTERS]
    assert one(start + more) == one(start)


@pytest.mark.parametrize("piece", ['"', "`a", "A ", "<", "…", "1,", "é", "\ud800", "准", "“a” ", "not "])
def test_a_megabyte_of_anything_is_read(piece):
    text = piece * (1_000_000 // len(piece))
    assert one(text).group in CLASSES
    (found,) = label(text, text, text, 1, ["A is better than B."])
    assert found.group == "GS"


# Agreement.

FLOORS = {
    "EG": 0.8,
    "CG": 0.7,
    "GS": 0.82,
    "F1": 0.75,
    "F2": 0.85,
    "F3": 0.8,
    "F4": 0.85,
    "F5": 0.85,
    "F6": 0.65,
    "F7": 0.55,
}
"""Kappa on the half that the rules were made on, a little under what was measured (docs/taxonomy.md): that no change
makes them worse unseen. What they are worth says the other half (`python -m benches.reason_labels --half held_out`)."""


def test_agreement_on_the_development_half():
    given, known = [], []
    for line in DEV.read_text("utf-8").splitlines():
        answer = json.loads(line)
        texts = [reason["text"] for reason in answer["reasons"]]
        responses = (answer["response1"], answer["response2"])
        given += [
            {one.group, *one.flaws} for one in label(answer["context"], *responses, VERDICTS[answer["verdict"]], texts)
        ]
        known += [{reason["class"], *reason["flaws"]} for reason in answer["reasons"]]
    assert len(known) == 305
    found = {name: kappa([name in one for one in given], [name in one for one in known]) for name in FLOORS}
    assert all(found[name] >= floor for name, floor in FLOORS.items()), found
