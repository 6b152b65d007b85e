"""Files of strangers: whatever a record holds, a reader takes it or names its place, and nothing else happens."""

import copy
import json

import pytest
from evals_helpers import figures
from hypothesis import given, settings
from hypothesis import strategies as st
from judging import environment, run
from rationale_rm import RationaleError
from rationale_rm.evals import judgebench, llmbar, read_records, rm_bench
from test_evals_rules import judge_line

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=5) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
GAME = {"completion": ["Output (a) is better.", "stop"], "winner": "1"}
RECORDS = {
    "judgebench": (judgebench.BENCHMARK, judge_line()),
    "llmbar": (
        llmbar.BENCHMARK,
        {
            "input": "i",
            "output_1": "a",
            "output_2": "b",
            "label": 1,
            "results": [{"swap = False": GAME, "swap = True": GAME}],
        },
    ),
    "llmbar rating": (
        llmbar.BENCHMARK,
        {
            "input": "i",
            "output_1": "a",
            "output_2": "b",
            "label": 1,
            "results": [
                {
                    "score_1": ["4", "stop"],
                    "score_2": ["5", "stop"],
                    "swap = False": {"winner": "2"},
                    "swap = True": {"winner": "2"},
                }
            ],
        },
    ),
    "rm_bench": (
        rm_bench.BENCHMARK,
        {
            "id": 1,
            "domain": "chat",
            "prompt": "Q?",
            "chosen": ["a", "b", "c"],
            "rejected": ["d", "e", "f"],
            "score_chosen": [1, 2, 3],
            "score_rejected": [0, 1, 2],
        },
    ),
}


def places(value, path=()):
    """Every place in a JSON value."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


def put(value, path, new):
    """The value with `new` at a place."""
    changed = copy.deepcopy(value)
    at = changed
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = new
    return changed


@pytest.mark.parametrize("name", RECORDS)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_value_at_any_place(tmp_path_factory, name, data):
    benchmark, record = RECORDS[name]
    changed = put(record, data.draw(st.sampled_from([p for p in places(record) if p])), data.draw(json_values))
    path = tmp_path_factory.mktemp("hostile") / "lines.jsonl"
    path.write_text(json.dumps([changed]))
    try:
        records = read_records([str(path)])
        benchmark.items(records)
        found = figures(benchmark, benchmark.read_recorded(records, None), n_resamples=2)
    except RationaleError as error:
        assert str(path) in str(error)  # noqa: PT017
    else:
        json.dumps([one.to_dict() for one in found.values()], allow_nan=False)


@pytest.mark.parametrize("text", ["[", "[1]", "{}x", '["a", {}]', "[" * 100_000, '[{"a": 1e999}]', "\ufeff[{}]", ""])
def test_files_that_are_no_records(tmp_path, text):
    path = tmp_path / "data.json"
    path.write_text(text)
    with pytest.raises(RationaleError, match=r"data\.json"):
        llmbar.items(read_records([str(path)]))


def test_surrogates_are_refused_with_their_place(tmp_path):
    path = tmp_path / "lines.jsonl"
    path.write_text(json.dumps(judge_line(question="\ud800")) + "\n")
    with pytest.raises(RationaleError, match=r"lines\.jsonl:1: question is not valid Unicode"):
        judgebench.items(read_records([str(path)]))


def test_results_of_other_data_are_refused(tmp_path):
    """Recorded outputs of which none is about an item of the data."""
    data, recorded = tmp_path / "d.jsonl", tmp_path / "r.jsonl"
    data.write_text(json.dumps(judge_line(pair_id="other")))
    recorded.write_text(json.dumps(judge_line()))
    arguments = ["eval", "judgebench", tmp_path / "run", "--recorded", recorded, "--data", data]
    done = run(*arguments, code=1, env=environment())
    assert "joined by id" in done.stderr
    assert not (tmp_path / "run").exists()
