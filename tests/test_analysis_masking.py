"""What the mask of a reason leaves out, and what it keeps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rationale_rm.analysis.masking import MAX_CHARACTERS, mask


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Response A misses the limit of 100 items.", "Response B misses the limit of 2,500.5 items."),
        ("It calls `sorted(x)` and not `reversed`.", "It calls `len` and not `map(f, y)`."),
        ('Assistant 1 says "yes" twice.', "assistant 2 says “no, never” twice."),
        ("The year of Marie Curie is wrong.", "The year of Alan Turing is wrong."),
        ("It uses NumPy in parse_line.", "It uses PyTorch in read_all_rows."),
        ("Model B is  off by one.", "model a is off by one."),
        ("A is clearer than B.", "B is clearer than A."),
        ("It fails where A's loop ends, and B stops.", "It fails where B's loop ends, and A stops."),
        ("The first response is too long.", "Response B is too long."),
        ("The former is short.", "the latter is short."),
        ("IT MISSES THE POINT OF IT ALL.", "It misses the point of it all."),
        ("Response A Misses The Whole Point Of It", "response b misses the whole point of it"),
    ],
)
def test_what_is_of_one_pair_is_masked(a, b):
    assert mask(a) == mask(b)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Response A is correct.", "Response A is wrong."),
        ("It does not sort.", "It does sort."),
        ("The answer 'x' is long.", "The answer is long."),
        ("Zu lang und falsch.", "Zu kurz und falsch."),
        ("A clear answer that helps.", "Response A helps."),
        ("A short text.", "B short text."),
        ("IT IS WRONG AND LONG", "IT IS RIGHT AND LONG"),
        ("太长了", "太短了"),
    ],
)
def test_what_is_said_of_it_is_not_masked(a, b):
    assert mask(a) != mask(b)


def test_the_mask_in_full():
    text = 'Response A quotes "x > 1" of Ada Lovelace, 1.5 times. It calls snake_case in NumPy; "open'
    assert mask(text) == ('<side> quotes <quote> of <name> , <number> times . it calls <name> in <name> ; " open')


@given(st.text(max_size=300))
def test_any_text_has_a_mask_that_case_of_blanks_does_not_change(text):
    assert mask(text) == mask(text.replace(" ", "  "))


def test_capitals_that_say_something_are_names_and_others_are_not():
    assert mask("Der lange Text hat einen Fehler in der Rechnung.") == mask(
        "Der lange Satz hat einen Witz in der Mitte."
    )
    assert mask("Uses NumPy Well In Every Single Loop") == "uses <name> well in every single loop", "identifiers stay"
    assert mask("It asks Ada Lovelace.") == "it asks <name> ."


def test_hostile_text_takes_no_time_and_is_cut():
    for text in (
        '"' * 100_000,
        "`“«" * 50_000,
        "1." * 100_000,
        "\x00" * 100_000,
        "A_" * 100_000,
        "\ud800" * 10,
        "\x01 " * 9000,
        "A B " * 9000,
    ):
        assert len(mask(text)) <= 10 * MAX_CHARACTERS
