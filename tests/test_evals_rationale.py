"""`rationale-rm eval rationale`: figures counted by hand, against `metrics`, on the world, and live."""

import json
import os
import random
import signal

import pytest
from evals_helpers import by_name, result_of
from judging import COMMAND, run
from rationale_rm import metrics, world
from rationale_rm.data import read_pairs
from rationale_rm.documents import OVERALL, SampleView
from rationale_rm.evals import estimates, rationale, rationale_samples
from records import critiqued, judge_text, matched, pair, transcript, write
from servers import ScriptedServer
from test_resume import end, start, wait_for


def judged_file(folder, rows):
    """Match records of (id, label, verdict, cells, changes) about pairs with two human reasons."""
    lines = []
    for name, label, verdict, cells, changes in rows:
        answer = critiqued(pair(id=name, label=label, domain=changes.pop("domain", "code")), verdict, **changes)
        lines.append(matched(answer, *([judge_text(*cells)] if cells is not None else [])))
    return read_pairs([str(write(folder / "m.jsonl", *lines))])


def table(loaded, *, below=rationale.BELOW, pairs=None, **settings):
    """Estimates by name, and the judged answers."""
    judged = rationale.judged(loaded.pairs, None, metrics.Settings(**settings), pairs)
    return by_name(estimates(rationale.score(judged, below=below), n_resamples=50)), judged


FULL = [(1, 1, 1), (2, 2, 1)]
NONE = [(1, 0, 0), (2, 0, 0)]
LITTLE = [(1, 1, 0.25), (2, 0, 0)]


def test_joint_and_spurious_by_hand(tmp_path):
    """Right with all reasons, none and an eighth; wrong with all; malformed; right and wrong without a judge."""
    loaded = judged_file(
        tmp_path,
        [
            ("a", "A>B", "A>B", FULL, {}),
            ("b", "A>B", "A>>B", NONE, {}),
            ("c", "B>A", "B>A", LITTLE, {}),
            ("d", "B>A", "A>B", FULL, {}),
            ("e", "A>B", "A>B", None, {}),
            ("f", "A>B", None, FULL, {"domain": "stem"}),
            ("g", "B>A", "A>B", None, {}),
        ],
    )
    found, judged = table(loaded)
    got = {metric: found["", OVERALL, metric] for metric in ("oa", "rc", "joint", "spurious", "spurious_below")}
    assert (got["oa"].value, got["oa"].n) == (pytest.approx(4 / 7), 7)
    assert (got["rc"].value, got["rc"].n) == (pytest.approx((1 + 0 + 0.125 + 1 + 1) / 5), 5)
    # A wrong or malformed verdict is 0 whatever its reasons; where the judge failed, right and wrong are missing alike.
    assert (got["joint"].value, got["joint"].n, got["joint"].n_total) == (pytest.approx(1.125 / 5), 5, 7)
    assert (got["spurious"].value, got["spurious"].n, got["spurious"].n_total) == (pytest.approx(1 / 3), 3, 4)
    assert got["spurious_below"].value == pytest.approx(2 / 3)
    assert got["spurious"].pessimistic is None
    assert found["", "stem", "malformed"].value == 1.0
    assert found["", OVERALL, "malformed"].value == pytest.approx(1 / 7)
    assert ("", "stem", "spurious") not in found
    assert table(loaded, below=0.125)[0]["", OVERALL, "spurious_below"].value == pytest.approx(1 / 3)
    views = {view.id: view for view in rationale_samples.views(judged)}
    assert views["a"].matches == ((0, 0, 1.0), (1, 1, 1.0))
    assert views["c"].scores == ((0, 0, 0.25),)
    assert (views["c"].matches, views["c"].rc) == (((0, 0, 0.25),), 0.125)
    assert (views["e"].judge_status, views["e"].rc, views["e"].scores) == ("judge_error", None, ())
    assert (views["f"].right, views["f"].status) == (False, "bad_verdict")
    assert all(SampleView.from_dict(json.loads(json.dumps(view.to_dict()))) == view for view in views.values())


def test_figures_are_those_of_score(tmp_path):
    draw = random.Random(3)
    rows = []
    for number in range(60):
        for swapped in (False, True):
            cells = [(r, draw.randint(0, 2), draw.choice([0.25, 0.5, 1])) for r in (1, 2)]
            cells = [(r, s, score if s else 0) for r, s, score in cells]
            verdict = draw.choice(["A>>B", "A>B", "A=B", "B>A", None])
            domain = draw.choice(["code", "stem"]) if not swapped else domain  # noqa: F821
            changes = {"swapped": swapped, "domain": domain}
            rows.append((f"p{number}", "A>B", verdict, cells if draw.random() < 0.9 else None, changes))
    loaded = judged_file(tmp_path, rows)
    scores = metrics.evaluate(loaded.pairs, "m")
    found, judged = table(loaded)
    for name in ("oa", "rc", "precision", "f1", "ap", "soft_ap"):
        for where, figures in ((OVERALL, scores.overall), *scores.by_domain.items()):
            ours, theirs = found["", where, name], figures[name]
            assert ours.value == pytest.approx(theirs.value, abs=1e-12), (where, name)
            assert (ours.n, ours.n_total) == (theirs.n, theirs.n_total)
            assert ours.pessimistic == pytest.approx(theirs.pessimistic, abs=1e-12)
    for name in metrics.ORDERS:
        assert found["", OVERALL, name].value == pytest.approx(scores.orders[name].value)
        assert found["", OVERALL, name].n == scores.orders[name].n
    for view in rationale_samples.views(judged):
        if view.rc is not None:
            total = sum(score for _, _, score in view.matches)
            assert view.rc == pytest.approx(total / len(view.references))


def test_pairs_and_orders_without_an_answer_are_missing(tmp_path):
    rows = [("a", "A>B", "A>B", FULL, {}), ("a", "A>B", "A>B", FULL, {"swapped": True}), ("b", "A>B", "A>B", FULL, {})]
    loaded = judged_file(tmp_path, rows)
    asked = read_pairs([str(write(tmp_path / "p.jsonl", *(pair(id=name, label="A>B") for name in "abc")))]).pairs
    found, judged = table(loaded, pairs=asked)
    assert (found["", OVERALL, "oa"].n, found["", OVERALL, "oa"].n_total) == (3, 6)
    assert found["", OVERALL, "oa"].pessimistic == 0.5
    assert found["", OVERALL, "order_consistency"].n_total == 3
    assert rationale_samples.statuses(judged) == {"ok": 3, "not_answered": 3}
    assert sum(view.status == "not_answered" for view in rationale_samples.views(judged)) == 3


def test_without_labels_and_without_a_judge(tmp_path):
    lines = [pair(id="a", label=None) | {"m-checklist": ["It sorts."], "m-generated_text": transcript("A>B")}]
    found, judged = table(read_pairs([str(write(tmp_path / "p.jsonl", *lines))]))
    assert found["", OVERALL, "rc"].value is None
    assert ("", OVERALL, "oa") not in found
    assert ("", OVERALL, "joint") not in table(read_pairs([str(write(tmp_path / "p.jsonl", critiqued(pair(id="a"))))]))[
        0
    ]
    notes = " ".join(rationale_samples.notes(judged))
    assert "no judge was asked" in notes
    assert "human label" in notes


def demonstrated(path, careful, n=30):
    """Answers of a demonstrator of the world, who sees every flaw or goes by the surface, in both orders."""
    lines = []
    settings = world.AnnotatorSettings(careful=careful, attention=1.0)
    for one in world.pairs(world.WorldSettings(), "test", n):
        for swapped in (False, True):
            text = world.demonstrate(one, settings, random.Random(one.id), swapped=swapped)
            name = f"{one.id}#swapped" if swapped else one.id
            record = {"id": name, "pair_id": one.id, "domain": one.domain, "context": [dict(one.context[0])]}
            record |= {"response1": one.response1, "response2": one.response2, "swapped": swapped}
            record |= {"human-checklist": list(one.references), "label": "A>B" if one.label > 0 else "B>A"}
            lines.append(record | {"m-generated_text": text})
    return write(path, *lines)


@pytest.mark.parametrize(("careful", "rc", "spurious"), [(1.0, 1.0, 0.0), (0.0, 0.0, 1.0)])
def test_the_world_and_its_oracle(tmp_path, env, careful, rc, spurious):
    """Who names every flaw has RC 1; who goes by the surface is right by luck, and every right verdict is spurious."""
    answers = demonstrated(tmp_path / "a.jsonl", careful)
    options = ["--data", "world:test:30", "--judge", "oracle", "--top-k", "0", "--n-resamples", "50"]
    run("eval", "rationale", tmp_path / "run", "--recorded", answers, *options, env=env)
    result = result_of(tmp_path / "run")
    got = {e["metric"]: e["value"] for e in result["estimates"] if e["slice"] == "overall"}
    assert (got["rc"], got["spurious"], got["order_consistency"]) == (rc, spurious, 1.0)
    assert got["joint"] == pytest.approx(got["oa"] * rc)
    assert got["oa"] == 1.0 if careful else 0.5 < got["oa"] < 1
    assert result["manifest"]["judges"] == ["oracle"]
    assert result["manifest"]["world"] == ["world:test:30"]
    slices = {e["slice"] for e in result["estimates"]}
    assert {"code", "general", "stem", "multilingual"} <= slices


def test_live_with_a_judge_killed_and_resumed(tmp_path, env):
    """A GenRM and a MetaJudge on one server: what a kill in either phase leaves is gone on from."""
    with ScriptedServer(seed=4, latency=0.01, latency_spread=0.02) as server:
        model = [f"openai:g@{server.url}", "--judge", f"openai:j@{server.url}"]
        options = ["--data", "world:test:25", "--model", *model, "--no-cache", "--concurrency", "4"]
        options += ["--n-resamples", "50"]
        whole, killed = tmp_path / "whole", tmp_path / "killed"
        run("eval", "rationale", whole, *options, env=env)
        command = [*COMMAND, "eval", "rationale", str(killed), *options]
        for name in ("answers.jsonl", "matches.jsonl"):
            process = start(command, env)
            wait_for(process, killed / name, os.path.getsize(whole / name) // 2)
            assert process.poll() is None, process.communicate()
            end(process, signal.SIGKILL)
        run("eval", "rationale", killed, *options, env=env)
        for name in ("result.json", "samples.jsonl", "items.jsonl"):
            assert (killed / name).read_bytes() == (whole / name).read_bytes()
        result = result_of(whole)
        assert sum(result["statuses"].values()) == 50
        judged = [json.loads(line) for line in (whole / "samples.jsonl").read_text().splitlines()]
        assert all(view["judge_status"] == "ok" for view in judged if view["reasons"])
        assert any(view["matches"] for view in judged)
        assert result["manifest"]["judges"] == [f"openai:j@{server.url}"]


def test_two_judges_at_once_are_refused(tmp_path, env):
    line = matched(critiqued(pair()), judge_text(*FULL))
    file = write(tmp_path / "m.jsonl", line)
    done = run("eval", "rationale", tmp_path / "run", "--recorded", file, "--judge", "lexical", code=2, env=env)
    assert "judged already" in done.stderr
