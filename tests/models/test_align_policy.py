"""The example that trains policies: its judges, the wiring of its reward, and a short run from end to end."""

import json

import align_policy
import numpy as np
import policy_judges
import policy_runs
import pytest
from policy_settings import Settings
from rationale_rm import parse_genrm, world
from rationale_rm.engine import HfEngine, Sampling
from rationale_rm.judge import loop
from rationale_rm.pairwise import ShownPair
from rationale_rm.prompts import genrm_brief
from rationale_rm.types import GenrmStatus
from training import one_thread

SHORT = Settings(
    requests=200,
    start_steps=60,
    steps=12,
    prompts=6,
    samples=6,
    every=6,
    watched=20,
    probed=60,
    test_requests=30,
    lr=2e-3,
)


def shown(pair):
    return ShownPair(context=pair.context, a=pair.response1, b=pair.response2)


def test_the_oracle_compares_true_flaws():
    drawn = world.pairs(world.WorldSettings(), "validation", 40)
    answers = loop.run(policy_judges.by_flaws([shown(pair) for pair in drawn]))
    assert [answer.verdict for answer in answers] == [pair.label for pair in drawn]


def test_a_coin_prefers_the_same_text_in_either_order():
    drawn = [shown(pair) for pair in world.pairs(world.WorldSettings(), "validation", 200)]
    answers = loop.run(policy_judges.by_coin(drawn))
    turned = loop.run(policy_judges.by_coin([ShownPair(context=one.context, a=one.b, b=one.a) for one in drawn]))
    assert [one.verdict for one in answers] == [-one.verdict for one in turned]
    assert abs(sum(one.verdict for one in answers)) < 60


def test_a_genrm_is_read_for_its_verdicts_or_for_its_reasons(started):
    """What the two judges say is in what the model writes, greedily, about the pairs in the order shown."""
    drawn = world.pairs(world.WorldSettings(vocabulary=0.5), "validation", 24)
    with one_thread():
        how = [Sampling(max_tokens=policy_judges.MAX_TOKENS)] * len(drawn)
        texts = [one.text for one in HfEngine(started).generate([genrm_brief(one).messages for one in drawn], how)]
        judges = [policy_judges.open_judge(reads, started) for reads in ("verdict", "reasons")]
        by_verdict, by_reasons = [loop.run(judge([shown(pair) for pair in drawn])) for judge in judges]
    read = parse_genrm(texts)
    ok = read.status == GenrmStatus.OK
    assert ok.any()
    ahead = [np.clip(sum(map(world.favours, reasons)), -2, 2) for reasons in read.reasons]
    for row in range(len(drawn)):
        assert by_verdict[row].verdict == (read.verdict[row] if ok[row] else None)
        assert by_reasons[row].verdict == (ahead[row] if ok[row] else None)
        assert (by_verdict[row].error is None) == (by_reasons[row].error is None) == ok[row]


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """A policy that has the form of a response and knows little of what is asked."""
    folder = tmp_path_factory.mktemp("policy")
    with one_thread():
        policy_runs.make_start(folder, 0, SHORT)
    return folder / "model"


def test_what_the_judge_prefers_is_what_the_policy_learns(start, tmp_path):
    """With the oracle as the judge true flaws fall; with its opposite they rise."""

    async def by_more_flaws(pairs):
        return await policy_judges.by_flaws([ShownPair(context=one.context, a=one.b, b=one.a) for one in pairs])

    change = {}
    with one_thread():
        for name, judge in (("right", policy_judges.by_flaws), ("wrong", by_more_flaws)):
            run = policy_runs.align(start, judge, 0, SHORT, tmp_path / name)
            won = run["wins"]["by_judge"]
            assert run["wins"]["in_truth"] == pytest.approx(won if name == "right" else 1 - won)
            assert [point["step"] for point in run["curve"]] == [0, 6, 12]
            assert (run["judge"]["fewer_flaws_win_else"] > 0.9) == (name == "right")
            change[name] = run["end"]["flaws"] - run["start"]["flaws"]
    assert change["right"] < -0.3
    assert change["wrong"] > 0.3


def test_the_example_writes_what_its_runs_came_to(tmp_path, monkeypatch, capsys):
    """And does nothing again that is finished."""
    output = tmp_path / "found" / "align.json"
    arguments = ["--seeds", "3", "--rewards", "oracle", "--jobs", "1", "--start-steps", "4", "--steps", "2"]
    arguments += ["--test-requests", "5", "--folder", str(tmp_path / "runs"), "--output", str(output)]
    monkeypatch.setattr("sys.argv", ["align_policy.py", *arguments])
    align_policy.main()
    record = json.loads(output.read_text("utf-8"), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    kinds = ("broken", "missing", "contradictory", "repeated", "foreign", "malformed")
    for state in ("start", "oracle"):
        (flaws,) = record["figures"][state]["flaws"]
        assert flaws == pytest.approx(sum(record["figures"][state][kind][0] for kind in kinds), abs=1e-3)
        (unmet,) = record["figures"][state]["unmet"]
        assert unmet == pytest.approx(
            sum(record["figures"][state][kind][0] for kind in ("broken", "missing")), abs=1e-3
        )
    gap = record["differences"]["flaws: oracle - start"]
    assert len(record["comparisons"]["oracle-3"]["order_consistency"]) == 2  # steps
    assert gap["low"] is None  # of one seed
    (within,) = record["within_seeds"]["flaws: oracle - start"]
    assert within["mean"] == pytest.approx(gap["mean"], abs=1e-3)
    assert within["low"] <= within["mean"] <= within["high"]
    assert record["settings"]["steps"] == 2
    results = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("result.json")}
    assert len(results) == 2
    align_policy.main()
    assert {path: path.stat().st_mtime_ns for path in results} == results
    assert json.loads(output.read_text("utf-8")) == record
    assert "flaws: oracle - start" in capsys.readouterr().out
