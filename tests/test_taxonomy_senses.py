"""Words that point to nothing in one sense and to the task in another: the rule-based labeller tells them apart."""

import re

import pytest
from rationale_rm.analysis.taxonomy import Labels, label

MANUAL = "Describe our warehouse to a new clerk."
FIRST = "Goods are booked by hand, and every parcel is weighed."
SECOND = "Parcels arrive at noon; a lorry takes them on."


def one(reason, verdict=1, *, asked=MANUAL, first=FIRST, second=SECOND):
    (found,) = label([{"role": "user", "content": asked}], first, second, verdict, [reason])
    return found


@pytest.mark.parametrize("word", ["table", "list", "header", "title"])
def test_a_word_of_layout_is_style_unless_a_response_speaks_of_such_a_thing(word):
    reason = f"A has a better {word} than B."
    assert one(reason) == Labels("GS", ("F1",))
    spoken = one(reason, first=f"Every {word} is checked at night.", second=f"No {word} is ever checked.")
    assert spoken.group == "CG"
    assert "F1" not in spoken.flaws


@pytest.mark.parametrize("verb", ["recommends", "suggests", "proposes"])
def test_what_a_response_advises_is_no_style_of_its_own(verb):
    assert one("B has a shorter title.") == Labels("GS", ("F1",))
    assert one(f"B {verb} a shorter title.", -1) == Labels("CG", ())
    assert one(f"B {verb} that. A has a shorter title.").flaws == ("F1",)  # in a clause of its own


@pytest.mark.parametrize(
    ("degree", "manner"),
    [
        ("B is clearly too long.", "B is clearly organised."),
        ("B is clearly the work of a beginner.", "B explains it clearly."),
        ("B was clearly written by a beginner.", "B was clearly written."),
        ("B is well intended.", "B is well thought out."),
        ("B is well below that.", "B puts it well."),
    ],
)
def test_an_adverb_praises_how_something_is_done_and_not_how_much_it_is_so(degree, manner):
    assert "F6" not in one(degree).flaws  # given for A
    assert "F6" in one(manner).flaws


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        ("Translate this for our clerks: goods arrive at noon.", "A is more fluent than B."),
        ("Proofread this note.", "A's grammar is better than B's."),
        ("Write a polite reminder to a customer.", "A is warmer than B."),
        ("Write a friendly note to a customer.", "A has the more pleasant tone."),
    ],
)
def test_a_quality_that_the_request_is_about_is_a_criterion(request_, reason):
    assert one(reason, asked=request_) == Labels("CG", ())
    assert one(reason) == Labels("GS", ("F1",))


def test_a_request_for_one_quality_asks_for_no_other():
    assert one("A is warmer than B.", asked="Translate this.").flaws == ("F1",)
    assert one("A is more fluent than B.", asked="Write a polite reminder.").flaws == ("F1",)
    assert one("A is better formatted than B.", asked="Translate this politely.").flaws == ("F1",)


@pytest.mark.parametrize("form", ["haiku", "limerick", "email"])
def test_a_rule_that_is_named_is_not_generic(form):
    asked = f"Write a {form} about parcels."
    assert one("A follows the instructions better than B.", asked=asked) == Labels("GS", ("F3",))
    assert one(f"A keeps to the {form} form better than B.", asked=asked) == Labels("CG", ())
    assert one(f"A is a better {form} than B.", asked=asked).group == "GS"


def test_style_measured_by_what_was_asked_for_is_a_criterion():
    asked = "Write a haiku about parcels."
    assert one("B is too long.", asked=asked) == Labels("GS", ("F1", "F4"))
    assert one("B is too long for a haiku.", asked=asked) == Labels("CG", ("F4",))
    assert one("B is too long for a haiku.").group == "GS"  # nobody asked for one


def test_a_rule_named_by_its_number_is_not_generic():
    assert one("B does not follow the pattern.") == Labels("GS", ("F3", "F4"))
    assert one("B does not follow the 5-7-5 pattern.") == Labels("CG", ("F4",))


def test_at_all_is_no_word_of_completeness():
    assert one("B has no prices at all.") == Labels("CG", ("F4",))
    assert one("A does all.").flaws == ("F3", "F4")


def test_what_the_user_wanted_is_no_praise_of_the_response_named_next():
    assert "F6" not in one("The user wanted three carriers; B names eight.").flaws
    assert "F6" not in one("The request asked for carriers. B has lorries.").flaws
    assert "F6" in one("B has what the user wanted.").flaws


def test_a_word_shows_what_is_mentioned_and_not_what_is_done():
    holds = {"second": "Weights vary by parcel. Volume matters too."}
    assert "F7" in one("B omits weights.", **holds).flaws
    assert "F7" in one("B forgets to mention the volume.", **holds).flaws
    for deed in ("give", "provide", "calculate", "use", "show"):
        assert "F7" not in one(f"B fails to {deed} weights.", **holds).flaws
    assert "F7" not in one("B omits prices.", **holds).flaws


@pytest.mark.parametrize("verdict", ["A>B", "1", 1.0, [1]])
def test_a_verdict_that_is_no_int_is_said_to_be_none(verdict):
    with pytest.raises(TypeError, match="verdict must be None or an int.*" + re.escape(repr(verdict))):
        label([], FIRST, SECOND, verdict, ["A is better."])
