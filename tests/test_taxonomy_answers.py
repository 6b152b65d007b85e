"""Answers of a labelling model: what is read, what is refused, and that no fault becomes "no flaw"."""

import asyncio
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judging import LocalClient
from rationale_rm import RationaleError, prompts
from rationale_rm.analysis.taxonomy import CLASSES, FLAWS, LabelRequest, Labels, LabelSettings, label_each, parse
from rationale_rm.analysis.taxonomy import TaxonomyStatus as Status
from rationale_rm.judge import Caller, Limits

GOOD = "<RESULT_START>\n- S1: EG | none\n- S2: GS | F1, F4\n<RESULT_END>"
READ = (Labels("EG", ()), Labels("GS", ("F1", "F4")))
LABELS = st.lists(
    st.tuples(st.sampled_from(CLASSES), st.sets(st.sampled_from(FLAWS)).map(lambda held: tuple(sorted(held)))).map(
        lambda pair: Labels(*pair)
    ),
    min_size=1,
    max_size=12,
)


def block(labels):
    lines = [f"- S{n}: {one.group} | {', '.join(one.flaws) or 'none'}\n" for n, one in enumerate(labels, 1)]
    return f"<RESULT_START>\n{''.join(lines)}<RESULT_END>"


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"S1 quotes, S2 does not.\n\n{GOOD}\n",
        f"<think>\n<RESULT_START>\n- S1: CG | F7\n- S2: CG | F7\n<RESULT_END>\n</think>\n{GOOD}",
        f"<RESULT_START>\n- S1: CG | F7\n- S2: CG | F7\n<RESULT_END>\nNo, wait.\n{GOOD}",  # the last block
        GOOD.lower().replace("| none", "| None"),
        GOOD.replace("F1, F4", "F4,F1, F1"),
        GOOD.replace("F1, F4", "F1; F4."),
        GOOD.replace("- S1: EG", "* **S1:** EG").replace("S2: GS", "S2： `GS`"),
        GOOD.replace("| none", "| none (it quotes line 3)"),
        GOOD.replace("<RESULT_START>\n", "<RESULT_START>\nLabels:\n\n"),
        f"**{GOOD}**\n<RESULT_END>",
        f"{GOOD}\nAnother one: <RESULT_START>\n- S1: GS | none",  # never closed
        GOOD.replace("- S1: EG | none\n- S2: GS | F1, F4", "- S2: GS | F1, F4\n- S1: EG | none"),
    ],
)
def test_what_is_read(text):
    assert parse(text, 2) == (Status.OK, READ, 0)


@pytest.mark.parametrize(
    ("text", "status", "line"),
    [
        ("", Status.EMPTY, 0),
        ("<think>hm</think> \n", Status.EMPTY, 0),
        (f"\ud800{GOOD}", Status.INVALID_UNICODE, 0),
        (f"{GOOD}<think>", Status.UNCLOSED_REASONING, 0),
        (GOOD.removesuffix("<RESULT_END>"), Status.UNCLOSED_BLOCK, 1),
        (GOOD.removeprefix("<RESULT_START>"), Status.UNOPENED_BLOCK, 4),
        (f"{GOOD} and <RESULT_END>", Status.AMBIGUOUS_BLOCK, 4),
        ("S1: EG | none", Status.NO_BLOCK, 0),
        (GOOD.replace("EG", "EX"), Status.BAD_LINE, 2),
        (GOOD.replace("EG", "EG, CG"), Status.BAD_LINE, 2),
        (GOOD.replace("EG | none", "EG"), Status.BAD_LINE, 2),
        (GOOD.replace("EG | none", "EG |"), Status.BAD_LINE, 2),  # said nothing of flaws
        (GOOD.replace("none", "F8"), Status.BAD_LINE, 2),
        (GOOD.replace("none", "F1, none"), Status.BAD_LINE, 2),
        (GOOD.replace("S2", "S3"), Status.REASON_OUT_OF_RANGE, 3),
        (GOOD.replace("S2", "S0"), Status.REASON_OUT_OF_RANGE, 3),
        (GOOD.replace("S2", "S1"), Status.DUPLICATE_REASON, 3),
        (GOOD.replace("- S2: GS | F1, F4\n", ""), Status.MISSING_REASON, 3),
    ],
)
def test_what_is_refused(text, status, line):
    assert parse(text, 2) == (status, (), line)


def test_the_prompt_itself_is_no_answer():
    """A model that only repeats what it was shown has not answered, whatever the texts in it say."""
    shown = prompts.taxonomy("Q", "a", "b", [GOOD, "- S1: EG | none"], key=b"k" * 32, call="c")
    for message in shown.messages:
        assert parse(message["content"], 2).status is not Status.OK
    whole = "\n".join(message["content"] for message in shown.messages)
    assert parse(f"{whole}\n{GOOD}", 2) == (Status.OK, READ, 0)


@given(LABELS, st.text(alphabet=st.characters(blacklist_characters="<", blacklist_categories=("Cs",)), max_size=200))
def test_every_answer_of_the_form_is_read(labels, thoughts):
    text = block(labels)
    assert re.fullmatch(prompts.taxonomy_regex(len(labels)), text) is not None
    assert parse(f"{thoughts}\n{text}", len(labels)) == (Status.OK, tuple(labels), 0)


def test_the_constraint_lets_nothing_else_pass():
    constraint = re.compile(prompts.taxonomy_regex(2))
    assert constraint.fullmatch(f"Let me see.\n{GOOD}")
    for wrong in ("F4, F1", "F1, F1", "none, F1", "F8", ""):
        assert constraint.fullmatch(GOOD.replace("F1, F4", wrong)) is None
    assert constraint.fullmatch(GOOD.replace("- S2: GS | F1, F4\n", "")) is None
    with pytest.raises(RationaleError, match="n_reasons"):
        prompts.taxonomy_regex(0)


@given(st.lists(st.sampled_from([*GOOD.split("\n"), "<", ">", "think>", "S1", "|", "\ud800", "F1", "\n", "</think>"])))
def test_any_text_has_a_status_and_labels_only_when_it_is_ok(pieces):
    found = parse("\n".join(pieces), 2)
    assert (len(found.labels) == 2) == (found.status is Status.OK)


@pytest.mark.parametrize(
    "piece", ["<", "< ", "<RESULT_START>", "<RESULT_END>", "S1", "- S1:", " ", "<think>", "S1: EG |\n"]
)
def test_a_megabyte_of_anything_is_read(piece):
    text = piece * (1_000_000 // len(piece))
    for whole in (text, f"<RESULT_START>{text}<RESULT_END>", f"{text}\n{GOOD}"):
        assert parse(whole, 2).status in Status


# Asking.


def request(number=0, **changes):
    fields = {
        "id": f"a{number}",
        "context": "Q",
        "response1": "first",
        "response2": "second",
        "verdict": 1,
        "reasons": (f"reason {number}", "another"),
    }
    return LabelRequest(**(fields | changes))


def ask(client, *requests, attempts=2, **settings):
    caller = Caller(client, limits=Limits(attempts=attempts, first_wait=0.001, longest_wait=0.001))
    results = {}

    def keep(result):
        results[result.request.id] = result

    asyncio.run(label_each(caller, requests, keep, LabelSettings(**settings)))
    return results


def test_labels_come_back_with_their_request():
    texts = {"reason 0": GOOD, "reason 1": GOOD.replace("EG", "CG")}
    client = LocalClient(lambda messages, *_: next(t for name, t in texts.items() if name in messages[1]["content"]))
    found = ask(client, request(0), request(1))
    assert found["a0"].labels == READ
    assert found["a1"].labels == (Labels("CG", ()), READ[1])
    assert (found["a0"].error, found["a0"].status, found["a0"].text) == (None, Status.OK, GOOD)


def test_an_answer_that_cannot_be_read_is_asked_for_again_and_then_is_none():
    client = LocalClient(lambda messages, sampling, number: "no block" if number == 0 else GOOD)
    assert ask(client, request())["a0"].labels == READ
    client = LocalClient(lambda messages, sampling, number: GOOD.replace("F1", "F9"))
    found = ask(client, request(), attempts=3)["a0"]
    assert len(client.calls) == 3
    assert found.labels is None
    assert found.status is Status.BAD_LINE
    assert "bad_line (line 3)" in found.error


def test_no_reasons_need_no_model():
    client = LocalClient()
    assert ask(client, request(reasons=()))["a0"].labels == ()
    assert not client.calls


def test_what_the_model_is_shown():
    client = LocalClient(lambda *_: GOOD, constrains=True)
    ask(client, request(swapped=True, reasons=("It ends.\n<RESULT_END>\n- S1: GS | F5", "x")))
    messages, sampling, _ = client.calls[0]
    text = messages[1]["content"]
    assert text.index("second") < text.index("first")  # as the model that judged was shown them
    assert "preferred Response B" in text
    assert "<RESULT_END>" not in text
    assert sampling.regex == prompts.taxonomy_regex(2)
    client = LocalClient(lambda *_: GOOD, constrains=True)
    ask(client, request(verdict=None), constrain=False)
    assert "preferred" not in client.calls[0][0][1]["content"]
    assert client.calls[0][1].regex is None


@pytest.mark.parametrize("change", [{"verdict": -1}, {"swapped": True}, {"reasons": ("x", "y")}, {"context": "P"}])
def test_another_question_is_not_answered_from_the_cache(change):
    from rationale_rm.analysis.taxonomy.model import question
    from rationale_rm.judge.caller import question_key

    caller = Caller(LocalClient())
    keys = {question_key("m", question(caller, one, LabelSettings())) for one in (request(), request(**change))}
    assert len(keys) == 2


@pytest.mark.parametrize("wrong", [{"temperature": 3.0}, {"max_tokens": 0}])
def test_settings_out_of_range(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        LabelSettings(**wrong)
