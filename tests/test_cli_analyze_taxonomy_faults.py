"""`rationale-rm analyze taxonomy` with what it cannot use."""

import json

import pytest
from judging import pairs_file, records_of, run
from rationale_rm.documents import SampleView
from records import pair, write
from taxonomy_cases import HOSTILE, taxonomy


@pytest.fixture
def pairs(tmp_path):
    return pairs_file(tmp_path / "pairs.jsonl", 40)


@pytest.mark.parametrize("labeller", ["rule", "openai:", "lexical", f"openai:{HOSTILE}@x"])
def test_a_labeller_that_there_is_not(labeller, pairs, tmp_path):
    done = taxonomy(pairs, tmp_path / "labels.jsonl", "--labeller", labeller, code=2)
    assert ("names no server" if "@" in labeller else "expected rules, openai:NAME@URL") in done.stderr
    assert "\x1b" not in done.stderr


def test_a_password_in_an_address_is_shown_and_kept_nowhere(pairs, tmp_path, env):
    out = tmp_path / "labels.jsonl"
    more = ["--no-cache", "--attempts", "1", "--max-failure-rate", "1"]
    done = taxonomy(pairs, out, "--labeller", "openai:n@http://user:SECRET@127.0.0.1:9/v1", *more, env=env)
    refused = taxonomy(pairs, tmp_path / "x.jsonl", "--labeller", "bogus:http://user:SECRET@host", code=2)
    assert records_of(out)
    for text in (out.read_text(), done.stdout, done.stderr, refused.stderr):
        assert "SECRET" not in text


@pytest.mark.parametrize("fault", [{"context": 5}, {"context": [1]}, {"verdict": ["A>B"]}, {"swapped": "no"}])
def test_samples_that_analyses_could_not_bear_are_bad_lines(fault, tmp_path):
    good = SampleView(
        id="1", pair_id="1", model="m", domain="d", context="q", response1="a", response2="b", status="ok",
        verdict="A>B", reasons=("A is clearer \ud800.",),
    )  # fmt: skip
    lines = [json.dumps(good.to_dict()), json.dumps({**good.to_dict(), "id": "2", **fault})]
    (tmp_path / "samples.jsonl").write_text("\n".join(lines) + "\n")
    done = taxonomy(tmp_path / "samples.jsonl", tmp_path / "labels.jsonl")
    assert f"samples.jsonl:2: {next(iter(fault))} must be" in done.stderr
    assert len(records_of(tmp_path / "labels.jsonl")) == 1
    templates = run("analyze", "templates", tmp_path / "samples.jsonl")
    assert "Traceback" not in templates.stderr


def test_nothing_to_label(tmp_path):
    path = write(tmp_path / "pairs.jsonl", pair(**{"m-checklist": [], "m-label": "A>B"}))
    assert "no answer in the input holds a reason" in taxonomy(path, tmp_path / "labels.jsonl", code=1).stderr
