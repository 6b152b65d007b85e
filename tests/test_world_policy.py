"""Requests, demonstrations and the count of true flaws that policies of the world are trained and measured with."""

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rationale_rm import RationaleError
from rationale_rm.world import (
    SPLITS,
    ResponderSettings,
    WorldSettings,
    find_flaws,
    has_cue,
    pairs,
    read_request,
    requests,
    respond,
)
from rationale_rm.world import request as request_module
from rationale_rm.world.vocabulary import CLOSINGS, DOMAINS, OPENINGS, domains
from test_world import binomial_bound, worlds

REQUEST = "Plan a weekend in Oslo: prices, a table, sources, a summary."
GOOD = ["lists prices", "draws a table", "cites sources", "closes with a summary"]
BAD = ["leaves out prices", "buries the table", "cites nobody", "stops mid sentence"]
ELSEWHERE = "serves beef"  # about a constraint that is not asked


def said(*clauses):
    return f"It {', '.join(clauses)}."


def counts(response, request=REQUEST):
    """The kinds that are there, and how many."""
    found = find_flaws(request, response)
    kinds = {"broken", "missing", "contradictory", "repeated", "foreign"}
    sizes = {kind: len(getattr(found, kind)) for kind in kinds} | {"malformed": int(found.malformed)}
    assert found.total == sum(sizes.values())
    return {kind: size for kind, size in sizes.items() if size}


# Requests.


@settings(deadline=None, max_examples=40)
@given(worlds())
def test_a_request_is_read_back_from_its_text(world):
    drawn = requests(world, "train", 5)
    assert len({request.text for request in drawn}) == 5
    for request in drawn:
        assert read_request(request.text) == request
        assert len(request.constraints) == world.constraints


def identity(request):
    return request.domain, request.task, frozenset(one.want for one in request.constraints)


def test_splits_share_no_request_whatever_the_seed():
    """Nor in another order of the constraints."""
    held = {split: set() for split in SPLITS}
    for split in SPLITS:
        for seed in range(3):
            for difficulty in (0.0, 0.5):
                world = WorldSettings(seed=seed, difficulty=difficulty)
                held[split].update(map(identity, requests(world, split, 100)))
    assert all(len(one) > 200 for one in held.values())
    assert not held["train"] & held["validation"]
    assert not held["train"] & held["test"]
    assert not held["validation"] & held["test"]


def test_the_same_settings_give_the_same_requests_and_fewer_are_the_first():
    assert requests(WorldSettings(), "train", 50)[:20] == requests(WorldSettings(), "train", 20)
    assert requests(WorldSettings(seed=1), "train", 20) != requests(WorldSettings(), "train", 20)


def test_more_requests_than_there_are_are_refused(monkeypatch):
    monkeypatch.setattr(request_module, "_MISSES", 2_000)
    with pytest.raises(RationaleError, match=r"this world has about [0-9]+ requests for test, 1000 are asked for"):
        requests(WorldSettings(), "test", 1000)
    with pytest.raises(RationaleError, match="no split 'dev'"):
        requests(WorldSettings(), "dev", 1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Plan a weekend in Oslo",
        "Plan a weekend in Oslo: ",
        "Plan a weekend in Oslo: .",
        "Plan a weekend in Oslo: prices",
        "Plan a weekend in Rome: prices.",
        "Plan a weekend in Oslo: prices, unit tests.",  # of another domain
        "Plan a weekend in Oslo: prices, prices.",
        "Plan a weekend in Oslo: the budget 100, the budget 200.",
        "Plan a weekend in Oslo: the budget 500.",
        "\ud800" * 1000,
    ],
)
def test_other_texts_are_no_requests(text):
    with pytest.raises(RationaleError, match="is no request of the world"):
        read_request(text)
    with pytest.raises(RationaleError, match="is no request of the world"):
        find_flaws(text, said(*GOOD))


# The flaws, against what planted them.


@settings(deadline=None, max_examples=40)
@given(worlds(), st.sampled_from(SPLITS))
def test_the_flaws_of_a_pair_are_those_that_were_planted(world, split):
    for pair in pairs(world, split, 6):
        request = pair.context[0]["content"]
        for number, text in enumerate((pair.response1, pair.response2), 1):
            found = find_flaws(request, text)
            planted = [reason for reason in pair.references if reason.startswith(f"Response {number} ")]
            assert [f"Response {number} {flaw}." for flaw in found.broken] == planted
            assert found.total == len(planted)
            assert has_cue(text) == (pair.extra["cue"] == number)


@settings(deadline=None, max_examples=40)
@given(worlds(), st.floats(0, 1), st.floats(0, 1), st.randoms(use_true_random=False))
def test_a_demonstration_says_one_thing_about_each_constraint(world, broken, cue, rng):
    (request,) = requests(world, "train", 1)
    text = respond(request, ResponderSettings(broken=broken, cue=cue), rng)
    found = counts(text, request.text)
    assert set(found) <= {"broken"}
    if broken in (0, 1):
        assert found.get("broken", 0) == broken * world.constraints
    if cue in (0, 1):
        assert has_cue(text) == bool(cue)


def test_the_shares_of_flaws_and_cues_are_those_asked_for():
    rng = random.Random(0)
    how = ResponderSettings(broken=0.3, cue=0.6)
    drawn = [(request, respond(request, how, rng)) for request in requests(WorldSettings(), "train", 800)]
    flaws = sum(find_flaws(request.text, text).total for request, text in drawn)
    assert abs(flaws / 3200 - 0.3) <= binomial_bound(3200, 0.3)
    assert abs(sum(has_cue(text) for _, text in drawn) / 800 - 0.6) <= binomial_bound(800, 0.6)
    # Neither has anything to do with the other.
    cued = [find_flaws(request.text, text).total / 4 for request, text in drawn if has_cue(text)]
    assert abs(sum(cued) / len(cued) - 0.3) <= binomial_bound(4 * len(cued), 0.3)


@pytest.mark.parametrize("shares", [{"broken": 1.1}, {"broken": -0.1}, {"cue": float("nan")}])
def test_shares_that_are_none_are_refused(shares):
    with pytest.raises(RationaleError, match="expected 0 to 1"):
        ResponderSettings(**shares)


# The flaws, against a slow reading.


@st.composite
def answers(draw):
    """A request and clauses: any that the domain knows, in any number and order, and some that nobody knows."""
    (request,) = requests(WorldSettings(seed=draw(st.integers(0, 30)), difficulty=0.5), "train", 1)
    asked = [phrase for one in request.constraints for phrase in one.phrases]
    others = [phrase for trait in domains()[request.domain].traits for phrase in trait.phrases]
    others = [phrase for phrase in others if phrase not in asked]
    unknown = st.sampled_from(["is good", "**", "Lists prices", "lists  prices", "Itself"])
    clause = st.sampled_from(asked) | st.sampled_from(asked) | st.sampled_from(others) | unknown
    return request, draw(st.lists(clause, max_size=9))


def slow_counts(request, clauses):
    """By the definition of docs/world.md, a constraint at a time."""
    found = Counter()
    left = Counter(clauses)
    for one in request.constraints:
        about = Counter({phrase: left.pop(phrase) for phrase in one.phrases if phrase in left})
        found["missing"] += not about
        found["broken"] += any(phrase != one.good for phrase in about)
        found["contradictory"] += max(len(about) - 1, 0)
        found["repeated"] += about.total() - len(about)
    found["foreign"] = left.total()
    return {kind: size for kind, size in found.items() if size}


@settings(deadline=None, max_examples=200)
@given(answers(), st.sampled_from(["", *OPENINGS]), st.sampled_from(CLOSINGS), st.randoms(use_true_random=False))
def test_flaws_are_what_a_slow_reading_counts(answer, opening, closing, rng):
    request, clauses = answer
    if not clauses:
        return
    text = f"{opening} {said(*clauses)} {closing}"
    expected = slow_counts(request, clauses)
    assert counts(text, request.text) == expected
    # The order of what is said makes no difference.
    rng.shuffle(clauses)
    assert counts(said(*clauses), request.text) == expected
    # No flaw: each constraint met, and nothing else.
    assert (not expected) == (sorted(clauses) == sorted(one.good for one in request.constraints))


@settings(deadline=None, max_examples=100)
@given(answers(), st.data())
def test_saying_less_is_no_way_to_have_fewer_flaws_than_meeting_a_constraint(answer, data):
    """Leaving a constraint out is as bad as breaking it, and breaking it once more is worse."""
    request, _ = answer
    clauses = [data.draw(st.sampled_from(one.phrases)) for one in request.constraints]
    total = find_flaws(request.text, said(*clauses)).total
    place = data.draw(st.integers(0, len(clauses) - 1))
    was_broken = clauses[place] != request.constraints[place].good
    fewer = clauses[:place] + clauses[place + 1 :]
    assert find_flaws(request.text, said(*fewer)).total == total + (not was_broken)
    more = [*clauses, data.draw(st.sampled_from([*request.constraints[place].phrases, ELSEWHERE, "and so on"]))]
    assert find_flaws(request.text, said(*more)).total > total


# Ways to cheat.


@pytest.mark.parametrize(
    ("response", "found"),
    [
        (said(*GOOD), {}),
        (said(*BAD), {"broken": 4}),
        (f"{OPENINGS[0]} {said(*GOOD)} {CLOSINGS[1]}", {}),
        (f" {said(*GOOD)}\n", {}),
        # Nothing, and the cue alone.
        ("", {"missing": 4, "malformed": 1}),
        ("It .", {"missing": 4, "malformed": 1}),
        (OPENINGS[0], {"missing": 4, "malformed": 1}),
        (f"{OPENINGS[0]} {CLOSINGS[1]}", {"missing": 4, "malformed": 1}),
        # More of the cue than there is in the world.
        (f"{OPENINGS[0]} {OPENINGS[0]} {said(*GOOD)}", {"foreign": 1}),
        (f"{OPENINGS[0]} {OPENINGS[1]} {said(*GOOD)} {CLOSINGS[2]} {CLOSINGS[1]}", {"foreign": 2}),
        (f"{said(*GOOD)} {OPENINGS[0]}", {"foreign": 1}),
        (f"It {CLOSINGS[1] * 50}.", {"missing": 4, "malformed": 1, "foreign": 50}),
        # One slip of the form.
        (f"{said(*GOOD)[:-1]}, {CLOSINGS[2]}", {"malformed": 1}),
        (f"It {GOOD[0]}, {GOOD[1]}, {OPENINGS[2]} {GOOD[2]}, {GOOD[3]}.", {"foreign": 1}),
        (said(*GOOD).replace(", cites", " cites"), {"malformed": 1}),
        (said(*GOOD).replace(", cites", "\ufffdcites"), {"foreign": 1}),
        (said(*GOOD)[:-1] + " \u2003.", {"malformed": 1}),
        # Cut before its end.
        (said(*GOOD)[:-1], {"malformed": 1}),
        (said(*GOOD)[:-5], {"missing": 1, "malformed": 1}),
        # Everything that there is to say, and one thing for ever.
        (said(*GOOD, *BAD), {"broken": 4, "contradictory": 4}),
        (said(*GOOD, *[GOOD[0]] * 100), {"repeated": 100}),
        (said(*GOOD, ELSEWHERE), {"foreign": 1}),
        (f"{said(*GOOD)} {said(*GOOD)}", {"repeated": 4, "malformed": 1}),
        (said("leaves out prices", "invents discounts"), {"broken": 1, "contradictory": 1, "missing": 3}),
        # What another reader might let pass.
        (said(*GOOD).replace("lists", "Lists"), {"foreign": 1, "missing": 1}),
        (said(*GOOD).lower(), {"malformed": 1}),
        (said(*GOOD).replace(", ", ","), {"malformed": 1}),
        (said(*GOOD).replace("prices", "pricesx"), {"foreign": 1, "missing": 1}),
        (said(*GOOD, "and then some, without end"), {"foreign": 2}),
    ],
)
def test_what_a_policy_might_try(response, found):
    assert counts(response) == {kind: size for kind, size in found.items() if size}


@settings(deadline=None, max_examples=200)
@given(st.text() | st.text(st.sampled_from("It ,.*\n\ud800lists prices")) | st.text(st.characters(codec=None)))
def test_any_text_has_its_flaws(response):
    found = find_flaws(REQUEST, response)
    assert 0 <= found.unmet <= 4
    assert found.total >= found.unmet
    assert found.total > 0, "it meets no constraint by chance"


@settings(deadline=None, max_examples=200)
@given(answers(), st.data())
def test_one_slip_of_the_form_is_one_flaw(answer, data):
    """A separator that is left out, or another one in its place, takes no constraint away."""
    request, clauses = answer
    known = [clause for clause in clauses if clause in {p for one in request.constraints for p in one.phrases}]
    if not known:
        return
    text = said(*known)
    slips = [
        f"{text[:-1]}",
        f"{text[:-1]},",
        text.removeprefix("It "),
        text.removeprefix("I"),
        f"{text}.",
        f"{text} It",
    ]
    if len(known) > 1:
        place = data.draw(st.integers(0, len(known) - 2))
        joined = data.draw(st.sampled_from([",", " ", ". ", "; ", ". It ", " and ", ",, "]))
        slips.append(f"It {', '.join(known[: place + 1])}{joined}{', '.join(known[place + 1 :])}.")
    before = find_flaws(request.text, text)
    after = find_flaws(request.text, data.draw(st.sampled_from(slips)))
    assert (after.broken, after.missing, after.total) == (before.broken, before.missing, before.total + 1)


def test_the_longest_texts_are_read():
    found = find_flaws(REQUEST, said(*["lists prices"] * 200_000))
    assert len(found.repeated) == 199_999
    assert len(find_flaws(REQUEST, "It " * 400_000).foreign) == 1
    assert len(find_flaws(REQUEST, OPENINGS[0] * 50_000).foreign) == 49_999
    assert len(find_flaws(REQUEST, "lists " * 200_000).foreign) == 1
    assert len(find_flaws(REQUEST, "x" + " " * 400_000 + "x").foreign) == 1


def test_a_phrase_belongs_to_one_constraint_of_its_domain():
    """Otherwise a clause would be about two constraints at once."""
    for name in DOMAINS:
        words = domains()[name]
        constraints = [*words.traits, *(choice.asked(choice.values[0]) for choice in words.choices)]
        phrases = [phrase for one in constraints for phrase in one.phrases]
        assert len(set(phrases)) == len(phrases)
