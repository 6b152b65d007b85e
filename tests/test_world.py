"""The synthetic judging world: what a pair says of itself is true, splits are apart, the oracle knows every flaw."""

import asyncio
import itertools
import json
import math
import random
import re
from collections import Counter
from importlib import resources

import judging
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from rationale_rm import RationaleError, data, parse_genrm
from rationale_rm.data.write import pair_record
from rationale_rm.judge import Judge
from rationale_rm.judge.local import LexicalJudge
from rationale_rm.rewards import RationaleReward
from rationale_rm.types import VERDICT_TEXTS, GenrmStatus, MetaJudgeStatus, Pair
from rationale_rm.world import (
    SPLITS,
    AnnotatorSettings,
    OracleJudge,
    WorldSettings,
    demonstrate,
    favours,
    pairs,
)
from rationale_rm.world import request as request_module
from rationale_rm.world.vocabulary import GENERIC

WORDS = json.loads(resources.files("rationale_rm.world").joinpath("domains.json").read_text("utf-8"))
HOSTILE = [
    "",
    " \n\t",
    "\x00",
    "\ud800",
    "Response A",
    "Response A .",
    "Response A serves beef",
    "response A serves beef.",
    "Response C serves beef.",
    "Response AA serves beef.",
    "Response A  serves beef.",
    "Response A serves\nbeef.",
    "Response A serves beef. Response B serves beef.",
    "Response А serves beef.",  # a Cyrillic A
    "Response A serves BEEF.",
    "Response A " + "serves beef " * 100_000 + ".",
    "Response A lists prices.",
    "Response A sets the budget to 500.",
    "1. Response A serves beef.",
]


def binomial_bound(n, share):
    """How far a share of n draws may be off: five standard deviations."""
    return 5 * math.sqrt(share * (1 - share) / n)


def reading(pair):
    """What the texts of a pair say, by words alone: the task, the constraints asked, and for each response the flaws in
    the order of its text.
    """
    domain = WORDS[pair.domain]
    ((role, request),) = [(message["role"], message["content"]) for message in pair.context]
    assert role == "user"
    task, wants = re.fullmatch(r"([^:]+): (.+)\.", request).groups()
    assert task in domain["tasks"]
    # How each constraint that is asked is met, and how it is broken.
    asked = {}
    for want in wants.split(", "):
        for trait in domain["traits"]:
            if trait["want"] == want:
                asked[want] = (trait["good"], set(trait["bad"]))
        for choice in domain["choices"]:
            for value in choice["values"]:
                if want == f"the {choice['what']} {value}":
                    said = {other: f"sets the {choice['what']} to {other}" for other in choice["values"]}
                    asked[want] = (said.pop(value), set(said.values()))
        assert want in asked
    flaws = []
    for text in (pair.response1, pair.response2):
        clauses = re.fullmatch(r"(?:\*\*[^*]+\*\* )?It ([^*.]+)\.(?: \*\*[^*]+\*\*)?", text)[1].split(", ")
        # One clause for each constraint, and no other.
        addressed = [want for clause in clauses for want, (good, bad) in asked.items() if clause in {good, *bad}]
        assert sorted(addressed) == sorted(asked)
        assert len(clauses) == len(asked)
        flaws.append([clause for clause in clauses if any(clause in bad for _, bad in asked.values())])
    return task, tuple(asked), tuple(flaws)


def content(pair):
    """What makes a pair different from another one: neither the order of what is said nor that of the responses."""
    task, asked, flaws = reading(pair)
    return pair.domain, task, frozenset(asked), frozenset(map(frozenset, flaws))


@st.composite
def worlds(draw):
    """Settings of every kind that has enough words for its requests."""
    constraints = draw(st.integers(4, 8))
    choices = draw(st.integers(0, 4))
    least = max((constraints - choices - 0.4) / 8, (choices - 0.4) / 4)
    return WorldSettings(
        seed=draw(st.integers(0, 2**40)),
        difficulty=min(1.0, max(0.0, (choices + draw(st.floats(-0.4, 0.4))) / constraints)),
        vocabulary=draw(st.floats(least, 1)),
        cue_strength=draw(st.floats(0, 1)),
        constraints=constraints,
    )


# Pairs.


@settings(deadline=None, max_examples=40)
@given(worlds(), st.sampled_from(SPLITS))
def test_references_and_label_are_what_the_texts_say(world, split):
    for pair in pairs(world, split, 12):
        _, asked, flaws = reading(pair)
        assert len(asked) == world.constraints
        assert list(pair.references) == [f"Response {n} {flaw}." for n in (1, 2) for flaw in flaws[n - 1]]
        assert 3 <= len(pair.references) <= 7
        apart = len(flaws[1]) - len(flaws[0])
        assert 1 <= abs(apart) <= 3
        assert pair.label == (1 if apart > 0 else -1) * (1 if abs(apart) == 1 else 2)
        cued = [number for number, text in enumerate((pair.response1, pair.response2), 1) if "**" in text]
        assert cued == [pair.extra["cue"]]


@settings(deadline=None, max_examples=25)
@given(worlds(), st.integers(0, 9), st.integers(0, 9))
def test_the_same_settings_give_the_same_pairs_and_fewer_are_the_first(world, fewer, more):
    for split in SPLITS:
        assert pairs(world, split, fewer)[: fewer + more] == pairs(world, split, fewer + more)[:fewer]


def test_seeds_give_other_pairs():
    drawn = [content(pair) for seed in range(3) for pair in pairs(WorldSettings(seed=seed), "test", 100)]
    assert len(set(drawn)) > 290


@pytest.mark.parametrize(
    ("difficulty", "vocabulary", "sizes"),
    [
        (0.0, 1.0, (800, 90, 150)),
        (0.0, 0.5, (2000, 200, 200)),
        (0.5, 1.0, (300, 250, 30)),
        (1.0, 1.0, (400, 80, 80)),
    ],
)
def test_splits_share_nothing_for_any_seed_and_size(difficulty, vocabulary, sizes):
    held = {split: set() for split in SPLITS}
    for seed in (0, 1, 7):
        world = WorldSettings(seed=seed, difficulty=difficulty, vocabulary=vocabulary)
        for split, size in zip(SPLITS, sizes, strict=True):
            drawn = [content(pair) for pair in pairs(world, split, size)]
            assert len(set(drawn)) == len(drawn) == size
            held[split].update(drawn)
    for one, other in itertools.combinations(SPLITS, 2):
        assert not held[one] & held[other]


def test_different_pairs_have_different_ids_in_whatever_world():
    worlds = [WorldSettings(), WorldSettings(seed=1), WorldSettings(difficulty=0.5), WorldSettings(cue_strength=0.2)]
    drawn = [pair for world in worlds for split in SPLITS for pair in pairs(world, split, 300)]
    assert len({pair.id for pair in drawn}) == len(
        {(pair.context[0]["content"], pair.response1, pair.response2) for pair in drawn}
    )
    assert all(pair.id.startswith("world-") for pair in drawn)


def test_no_pair_of_a_strong_cue_is_one_of_a_weak_cue_in_another_split():
    weak, strong = (WorldSettings(vocabulary=0.5, cue_strength=strength) for strength in (0.0, 1.0))
    train = {content(pair) for pair in pairs(weak, "train", 1500)}
    assert not train & {content(pair) for pair in pairs(strong, "test", 300)}
    assert train & {content(pair) for pair in pairs(strong, "train", 1500)}  # so that the test can fail


@pytest.mark.parametrize("strength", [0.0, 0.3, 0.5, 0.85, 1.0])
def test_the_cue_is_right_as_often_as_its_strength(strength):
    n = 2000
    drawn = pairs(WorldSettings(seed=3, cue_strength=strength), "train", n)
    right = sum((pair.extra["cue"] == 1) == (pair.label > 0) for pair in drawn) / n
    assert abs(right - strength) <= binomial_bound(n, strength)


def test_the_cue_is_length_as_well_as_emphasis():
    drawn = pairs(WorldSettings(), "train", 1000)
    longer = sum((len(pair.response1) > len(pair.response2)) == (pair.extra["cue"] == 1) for pair in drawn)
    assert longer >= 995


def test_domains_counts_and_sides_are_balanced():
    n = 3000
    drawn = pairs(WorldSettings(seed=5), "train", n)
    shares = [
        (Counter(pair.domain for pair in drawn), 4),
        (Counter(len(pair.references) for pair in drawn), 5),
        (Counter(pair.label > 0 for pair in drawn), 2),
    ]
    for counts, kinds in shares:
        assert len(counts) == kinds
        assert all(abs(count / n - 1 / kinds) <= binomial_bound(n, 1 / kinds) for count in counts.values()), counts


@pytest.mark.parametrize(("difficulty", "with_values"), [(0.0, 0), (0.25, 1), (0.5, 2), (1.0, 4)])
def test_difficulty_is_how_many_flaws_show_only_against_the_request(difficulty, with_values):
    for pair in pairs(WorldSettings(difficulty=difficulty), "train", 200):
        _, asked, flaws = reading(pair)
        choices = [want.removeprefix("the ").split() for want in asked if want not in traits_of(pair.domain)]
        assert len(choices) == with_values
        values = dict(choices)
        for flaw in itertools.chain(*flaws):
            setting = re.fullmatch(r"sets the (\S+) to (\S+)", flaw)
            if setting is not None:
                assert values[setting[1]] != setting[2]
            elif difficulty == 1.0:
                pytest.fail(f"a flaw that shows by itself: {flaw}")


def traits_of(domain):
    return {trait["want"] for trait in WORDS[domain]["traits"]}


def test_a_smaller_vocabulary_has_fewer_words():
    def words(vocabulary):
        drawn = pairs(WorldSettings(vocabulary=vocabulary), "train", 400)
        return {word for pair in drawn for word in reading(pair)[:1] + reading(pair)[1]}

    assert len(words(1.0)) == 4 * (6 + 8)
    assert len(words(0.5)) == 4 * (3 + 4)
    assert words(0.5) < words(1.0)


def test_no_phrase_of_the_world_is_part_of_another():
    """So a text contains the flaws that are planted in it, and no others."""
    phrases = [
        phrase for domain in WORDS.values() for trait in domain["traits"] for phrase in (trait["good"], *trait["bad"])
    ]
    phrases += [f"sets the {one['what']} to " for domain in WORDS.values() for one in domain["choices"]]
    phrases += GENERIC
    assert not [(one, other) for one, other in itertools.permutations(phrases, 2) if one in other]
    wants = [trait["want"] for domain in WORDS.values() for trait in domain["traits"]]
    assert len(set(wants)) == len(wants)
    assert not [phrase for phrase in [*phrases, *wants] if set(phrase) & set(",.:*")]


# Settings.


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"difficulty": -0.1}, "world.difficulty is -0.1: expected 0 to 1"),
        ({"vocabulary": 1.5}, "world.vocabulary is 1.5: expected 0 to 1"),
        ({"cue_strength": math.nan}, "world.cue_strength is nan: expected 0 to 1"),
        ({"constraints": 3}, "world.constraints is 3: expected 4 to 8"),
        ({"constraints": 9}, "world.constraints is 9: expected 4 to 8"),
        ({"vocabulary": 0.2}, "world.vocabulary 0.2 leaves 2 plain constraints and 1 with values a domain, too few"),
        ({"vocabulary": 0.0}, "too few for requests of 4 at difficulty 0: raise vocabulary"),
        ({"difficulty": 1.0, "constraints": 5}, "too few for requests of 5 at difficulty 1"),
        ({"difficulty": 1.0, "vocabulary": 0.5}, "leaves 4 plain constraints and 2 with values"),
    ],
)
def test_settings_out_of_range_are_refused(changes, message):
    with pytest.raises(RationaleError, match=re.escape(message)):
        WorldSettings(**changes)


@pytest.mark.parametrize("changes", [{"vocabulary": 0.44}, {"constraints": 8}, {"difficulty": 1.0, "vocabulary": 0.88}])
def test_settings_at_the_edge_have_pairs(changes):
    assert all(map(reading, pairs(WorldSettings(**changes), "validation", 30)))


def test_settings_are_plain_json():
    world = WorldSettings(seed=4, difficulty=0.5, constraints=6)
    assert WorldSettings(**json.loads(json.dumps(world.to_dict()))) == world


def test_more_pairs_than_there_are_is_refused(monkeypatch):
    monkeypatch.setattr(request_module, "_MISSES", 150)
    world = WorldSettings(vocabulary=0.44)
    with pytest.raises(
        RationaleError, match=r"this world has about [0-9]+ pairs for test, 1000000 are asked for"
    ) as caught:
        pairs(world, "test", 1_000_000)
    found = int(re.search("about ([0-9]+)", str(caught.value))[1])
    assert found > 100
    assert len(pairs(world, "test", found)) == found


def test_an_unknown_split_is_refused():
    with pytest.raises(RationaleError, match="no split 'dev': expected one of train, validation, test"):
        pairs(WorldSettings(), "dev", 1)


# The oracle.


def request(references, reasons, *, swapped=False, id="r"):
    return judging.request(references=tuple(references), reasons=tuple(reasons), swapped=swapped, id=id)


def scores(judge, references, reasons, *, swapped=False):
    (result,) = asyncio.run(judge.match([request(references, reasons, swapped=swapped)]))
    assert result.error is None
    return {(i, j): score for i, j, score in result.entries}


def written(side, phrase, swapped=False):
    """A sentence about response 1 or 2, as a model writes it that was shown the responses in this order."""
    return f"Response {'AB'[(side == 2) != swapped]} {phrase}."


def ways_to_break():
    """The flaws of all domains."""
    flaws = [flaw for domain in WORDS.values() for trait in domain["traits"] for flaw in trait["bad"]]
    choices = [choice for domain in WORDS.values() for choice in domain["choices"]]
    return flaws + [f"sets the {choice['what']} to {value}" for choice in choices for value in choice["values"]]


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("side", [1, 2])
def test_the_oracle_knows_every_flaw_and_side(side, swapped):
    """Another breach of the same constraint is another flaw, and is not there."""
    flaws = ways_to_break()
    references = [f"Response {side} {flaw}." for flaw in flaws]
    reasons = [written(side, flaw, swapped) for flaw in flaws]
    assert scores(OracleJudge(), references, reasons, swapped=swapped) == {(i, i): 1.0 for i in range(len(flaws))}
    others = [written(3 - side, flaw, swapped) for flaw in flaws]
    assert scores(OracleJudge(), references, others, swapped=swapped) == {}


def test_the_oracle_reads_hostile_text_as_no_match():
    references = ["Response 1 serves beef.", "Response 2 sets the budget to 100."]
    for swapped in (False, True):
        assert scores(OracleJudge(), references, HOSTILE, swapped=swapped) == {}
        assert scores(OracleJudge(), HOSTILE, references, swapped=swapped) == {}
    assert scores(OracleJudge(), ["Response 1 serves beef."], [" Response A serves beef.\n"]) == {(0, 0): 1.0}


@given(st.text() | st.text(st.characters(codec=None)).map(lambda text: f"Response A {text}."))
def test_the_oracle_reads_any_other_text_as_no_match(text):
    assume(text.strip()[11:-1] not in ways_to_break())
    assert scores(OracleJudge(), ["Response 1 serves beef.", text], [text]) == {}


def test_the_oracle_is_a_judge_that_answers_in_order():
    judge: Judge = OracleJudge()
    heard = []
    asked = [request(["Response 1 serves beef."], ["Response A serves beef."] * n, id=f"q{n}") for n in range(4)]
    results = asyncio.run(judge.match(asked, on_result=heard.append))
    assert heard == results
    assert [result.request_id for result in results] == ["q0", "q1", "q2", "q3"]
    assert [len(result.entries) for result in results] == [0, 1, 2, 3]
    assert all(result.statuses == (MetaJudgeStatus.OK,) for result in results)
    assert judge.stand_in is None


def block(reasons, verdict):
    lines = "".join(f"{n}. {reason}\n" for n, reason in enumerate(reasons, 1))
    box = f"\\boxed{{{VERDICT_TEXTS[verdict]}}}"
    return f"<RESULT_START>\nList of reasons:\n{lines}Final assessment result:\n{box}\n<RESULT_END>"


def perfect(pair, swapped):
    """All flaws and the right verdict."""
    reasons = [written(side, flaw, swapped) for side, one in enumerate(reading(pair)[2], 1) for flaw in one]
    return block(reasons, -pair.label if swapped else pair.label)


def reward(texts, asked, swapped, mode="product"):
    return RationaleReward(OracleJudge(), mode=mode, audit=0.0)(
        texts,
        references=[pair.references for pair in asked],
        labels=[pair.label for pair in asked],
        groups=list(range(len(asked))),
        swapped=swapped,
    )


@pytest.fixture(scope="module")
def mixed():
    """Pairs of an easy and of a hard world, with the order in which each is shown."""
    drawn = pairs(WorldSettings(), "train", 150) + pairs(WorldSettings(seed=1, difficulty=0.5), "train", 150)
    return drawn, [number % 3 == 0 for number in range(300)]


def test_all_flaws_and_the_right_verdict_are_worth_everything(mixed):
    drawn, swapped = mixed
    batch = reward(list(map(perfect, *mixed)), drawn, swapped)
    for column in (batch.rc, batch.rationale, batch.outcome, batch.reward):
        assert column.tolist() == [1.0] * 300
    # The same texts, read as if they had been written for the other order.
    turned = reward(list(map(perfect, *mixed)), drawn, [not one for one in swapped], mode="sum")
    assert turned.outcome.tolist() == [0.0] * 300
    assert turned.rc.max() < 1.0  # one response has more flaws than the other


def test_shallow_demonstrations_are_worth_nothing(mixed):
    drawn, swapped = mixed
    shallow = AnnotatorSettings(careful=0.0)
    texts = [
        demonstrate(pair, shallow, random.Random(number), swapped=swapped[number]) for number, pair in enumerate(drawn)
    ]
    batch = reward(texts, drawn, swapped)
    assert batch.reward.tolist() == [0.0] * 300
    assert batch.outcome.mean() > 0.7  # the cue is mostly right
    assert set(batch.rc[batch.outcome == 1.0]) == {0.0}


# Annotators.


@pytest.mark.parametrize("shares", [{"careful": 7}, {"attention": -0.1}, {"attention": math.nan}])
def test_shares_that_are_none_are_refused(shares):
    with pytest.raises(RationaleError, match="expected 0 to 1"):
        AnnotatorSettings(**shares)


def demonstrations(drawn, swapped, **who):
    """Each pair, whether it was shown swapped, the reasons, and the verdict of response 1 over response 2."""
    texts = [
        demonstrate(pair, AnnotatorSettings(**who), random.Random(number), swapped=swapped[number])
        for number, pair in enumerate(drawn)
    ]
    batch = parse_genrm(texts)
    assert set(batch.status.tolist()) == {int(GenrmStatus.OK)}
    for pair, turned, reasons, verdict in zip(drawn, swapped, batch.reasons, batch.verdict.tolist(), strict=True):
        yield pair, turned, list(reasons), -verdict if turned else verdict


@pytest.mark.parametrize("attention", [0.0, 0.5, 1.0])
def test_careful_annotators_name_true_flaws_and_go_by_them(mixed, attention):
    tied = 0
    for pair, turned, reasons, verdict in demonstrations(*mixed, careful=1.0, attention=attention):
        sides = [{written(n, flaw, turned) for flaw in one} for n, one in enumerate(reading(pair)[2], 1)]
        assert len(set(reasons)) == len(reasons) >= 1
        assert set(reasons) <= sides[0] | sides[1]
        assert [reason[9] for reason in reasons] == sorted(reason[9] for reason in reasons)  # A first
        ahead = len(sides[1] & set(reasons)) - len(sides[0] & set(reasons))
        tied += not ahead
        if not ahead:
            assert verdict == (1 if pair.extra["cue"] == 1 else -1)
        else:
            assert verdict == (1 if ahead > 0 else -1) * (2 if abs(ahead) >= 2 else 1)
        if attention == 1.0:
            assert set(reasons) == sides[0] | sides[1]
            assert verdict == pair.label
        if attention == 0.0:
            assert len(reasons) == 1
    assert (tied > 0) == (attention == 0.5)


def test_attention_is_the_share_of_flaws_that_are_seen(mixed):
    seen = [
        (len(reasons), len(pair.references))
        for pair, _, reasons, _ in demonstrations(*mixed, careful=1.0, attention=0.6)
    ]
    n = sum(total for _, total in seen)
    assert abs(sum(named for named, _ in seen) / n - 0.6) <= binomial_bound(n, 0.6)


def test_shallow_annotators_go_by_the_cue(mixed):
    for pair, turned, reasons, verdict in demonstrations(*mixed, careful=0.0):
        cue = pair.extra["cue"]
        assert set(reasons) <= {written(cue, what, turned) for what in GENERIC}
        assert 2 <= len(set(reasons)) == len(reasons) <= 4
        assert (verdict > 0) == (cue == 1)
        assert abs(verdict) in (1, 2)


def test_the_share_of_careful_annotators(mixed):
    named = [
        any(reason.split(" ", 2)[2][:-1] in GENERIC for reason in reasons)
        for _, _, reasons, _ in demonstrations(*mixed, careful=0.3)
    ]
    assert abs(1 - sum(named) / len(named) - 0.3) <= binomial_bound(len(named), 0.3)


def test_the_other_order_is_the_mirror_image(mixed):
    drawn, _ = mixed
    for number, pair in enumerate(drawn):
        batch = parse_genrm(
            [demonstrate(pair, AnnotatorSettings(), random.Random(number), swapped=turned) for turned in (False, True)]
        )
        one, other = batch.reasons
        assert sorted(one) == sorted(f"Response {'BA'['AB'.index(reason[9])]}{reason[10:]}" for reason in other)
        assert batch.verdict[0] == -batch.verdict[1]


def test_pairs_from_elsewhere_have_no_demonstrations():
    (pair,) = pairs(WorldSettings(), "train", 1)
    fields = {name: getattr(pair, name) for name in ("id", "domain", "context", "response1", "response2", "label")}
    for changed in (
        {"references": pair.references, "extra": {}},
        {"references": ("It is too short.",), "extra": {"cue": 1}},
    ):
        with pytest.raises(RationaleError, match=f"{pair.id!r} is not of the world"):
            demonstrate(Pair(**fields, **changed), AnnotatorSettings(), random.Random(0))


# The rest of the package.


def test_pairs_go_through_the_public_schema_unchanged(tmp_path):
    drawn = [pair for split in SPLITS for pair in pairs(WorldSettings(difficulty=0.5), split, 40)]
    path = tmp_path / "world.jsonl"
    path.write_text("".join(json.dumps(pair_record(pair)) + "\n" for pair in drawn), "utf-8")
    loaded = data.read_pairs([path], strict=True)
    back = [{**pair.to_dict(), "file": None, "line": None} for pair in loaded.pairs]
    assert back == [pair.to_dict() for pair in drawn]
    assert demonstrate(loaded.pairs[0], AnnotatorSettings(), random.Random(0)) == demonstrate(
        drawn[0], AnnotatorSettings(), random.Random(0)
    )


def test_the_lexical_judge_knows_a_flaw_and_its_side():
    """Equal sentences about different responses once outweighed the conflict of sides."""
    asked, right = [], []
    for number, flaw in enumerate(ways_to_break()):
        swapped, side = number % 2 == 1, 1 + number // 2 % 2
        for named in (side, 3 - side):
            asked.append(request([f"Response {side} {flaw}."], [written(named, flaw, swapped)], swapped=swapped))
            right.append(named == side)
    for result, named in zip(LexicalJudge().answer(asked), right, strict=True):
        if named:
            ((_, _, score),) = result.entries
            assert score >= 0.9
        else:
            assert result.entries == ()


def test_the_lexical_judge_finds_all_flaws_in_whole_lists(mixed):
    for pair, swapped in itertools.islice(zip(*mixed, strict=True), 100, 200):
        reasons = [written(n, flaw, swapped) for n, one in enumerate(reading(pair)[2], 1) for flaw in one]
        found = scores(LexicalJudge(), pair.references, reasons, swapped=swapped)
        assert min(found.get((at, at), 0.0) for at in range(len(reasons))) >= 0.9


# Which response a sentence speaks for.


@pytest.mark.parametrize(
    ("reason", "side"),
    [
        ("Response A is longer and more detailed.", 1),
        ("Response B has a nicer tone.", -1),
        ("Response A is nothing that the world says.", 0),
        ("It is bad.", 0),
    ],
)
def test_sides_of_the_worlds_other_sentences(reason, side):
    assert favours(reason) == side


def test_a_flaw_speaks_for_the_other_response():
    (pair,) = pairs(WorldSettings(), "train", 1)
    flaw = pair.references[0].split(maxsplit=2)[2]
    assert favours(f"Response A {flaw}") == -1
    assert favours(f"Response B {flaw}") == 1
