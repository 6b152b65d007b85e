"""The reward in verifiers 0.4: tasks of its own, and rollouts by its own agent from the prompt to the scored trace."""

import asyncio
import json
import sys
from pathlib import Path

import judging
import numpy as np
import openai
import pytest
import verifiers.v1 as vf
from critiques import ANSWERS, SETTINGS, expected
from policy import policy_server
from rationale_rm import RationaleError
from rationale_rm.cli.main import app
from rationale_rm.data.write import pair_record
from rationale_rm.integrations.verifiers import export_row
from rationale_rm.judge import Caller, MetaJudge, OpenAIClient, loop
from servers.process import ScriptedServer
from typer.testing import CliRunner
from verifiers.v1.utils.loaders import load_taskset, taskset_config_type

EXAMPLES = Path(__file__).parents[2] / "examples" / "verifiers"
AWAY = {"judge": "openai:m@http://127.0.0.1:9/v1", "attempts": 1, "max_failure_rate": 1.0}


@pytest.fixture(autouse=True)
def found(monkeypatch):
    """It looks for tasksets and harnesses by the names of modules."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.setenv("KEY", "none")


def test_the_judges_client_works_with_the_openai_that_verifiers_takes():
    assert openai.__version__.startswith("2.")
    asked = [judging.request(number) for number in range(8)]
    with ScriptedServer() as server:
        judge = MetaJudge(Caller(OpenAIClient("judge", [server.url])))
        results = loop.run(judge.match(asked))
        loop.run(judge.caller.close())
    assert [result.entries for result in results] == [judging.expected(one) for one in asked]
    with pytest.raises(ValueError, match="needs openai 3"):
        OpenAIClient("judge", ["http://127.0.0.1:9/v1?version=1"])


def taskset(path, reward=None):
    config_type = taskset_config_type("rationale-genrm")
    return load_taskset(config_type(id="rationale-genrm", data=path, task={"reward": reward or {}}))


@pytest.fixture
def written(cases, tmp_path):
    path = tmp_path / "pairs.verifiers.jsonl"
    rows = [export_row(case.pair, swapped=case.swapped, messages=case.messages) for case in cases[::ANSWERS]]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def rolled_out(tasks, url):
    """The traces of `ANSWERS` rollouts of each task, by verifiers' own agent."""
    config = vf.AgentConfig(
        harness={"id": "direct_harness"},
        runtime={"type": "subprocess"},
        model="policy",
        client=vf.EvalClientConfig(base_url=url, api_key_var="KEY"),
    )

    async def run():
        async with vf.Agent(config) as agent:
            of_tasks = []
            for task in tasks:  # the server gives the answers to one prompt in their order
                of_tasks.append([await agent.run(task) for _ in range(ANSWERS)])
            return of_tasks

    return [trace for traces in asyncio.run(run()) for trace in traces]


def test_rollouts_get_our_rewards(cases, rewards, written):
    with policy_server(cases) as url:
        traces = rolled_out(taskset(written, SETTINGS.to_mapping()), url)
    assert [trace.last_reply for trace in traces] == [case.text.strip() for case in cases]
    assert all(trace.ok for trace in traces)
    np.testing.assert_allclose([trace.reward for trace in traces], rewards, rtol=1e-9)
    assert all(set(trace.rewards) == {"rationale"} for trace in traces)
    batch = expected(cases)
    assert [trace.metrics["outcome"] for trace in traces] == batch.outcome.tolist()
    assert [trace.metrics["malformed"] for trace in traces] == (batch.status != 0).tolist()
    scored, rc = (np.mean([trace.metrics[name] for trace in traces]) for name in ("scored", "scored_rc"))
    assert 0 < scored < 1
    assert rc / scored == pytest.approx(np.nansum(batch.rc * batch.audit_weight) / np.sum(batch.audit_weight))


def test_no_judgement_is_an_error_and_no_zero(cases, written):
    right = [case for case, outcome in zip(cases, expected(cases).outcome, strict=True) if outcome == 1]
    with policy_server(right) as url:
        traces = rolled_out(list(taskset(written, AWAY))[:1], url)
    for trace in traces:
        assert not trace.ok
        assert trace.rewards == {"rationale": None}
        assert trace.last_error.type == "TaskError"
        assert "NoJudgementError" in trace.last_error.message


def test_a_reward_function_for_other_tasksets(cases, rewards, written, monkeypatch):
    """Plugged into a task by its import path, as a configuration does it."""
    monkeypatch.setenv("RATIONALE_RM_REWARD", json.dumps(SETTINGS.to_mapping()))
    from rationale_rm.integrations.verifiers_v1 import PairData

    plugged = {"rationale": {"fn": "rationale_rm.integrations.verifiers:trace_reward", "weight": 2.0}}
    tasks = [vf.Task(PairData(prompt="?", **case.fields), vf.TaskConfig(rewards=plugged)) for case in cases[:20]]
    traces = [trace_of(task, case.text) for task, case in zip(tasks, cases, strict=False)]
    for task, trace in zip(tasks, traces, strict=True):
        asyncio.run(task.score(trace))
    np.testing.assert_allclose([trace.reward for trace in traces], 2 * rewards[:20], rtol=1e-9)


def trace_of(task, text):
    """A finished rollout that is not scored yet."""
    from verifiers.v1.graph import MessageNode

    nodes = [
        MessageNode(message=vf.UserMessage(content="?")),
        MessageNode(message=vf.AssistantMessage(content=text), parent=0, sampled=True),
    ]
    about = {"type": type(task).__name__, "data": task.data}
    return vf.Trace(task=about, agent={"config": vf.AgentConfig(model="m")}, nodes=nodes)


def test_what_export_writes_is_loaded(cases, tmp_path):
    source, out = tmp_path / "pairs.jsonl", tmp_path / "pairs.verifiers.jsonl"
    pairs = [case.pair for case in cases[::ANSWERS]]
    source.write_text("".join(json.dumps(pair_record(pair)) + "\n" for pair in pairs))
    done = CliRunner().invoke(app, ["export", "--for", "verifiers", str(source), str(out), "--seed", "1"])
    assert done.exit_code == 0, done.output
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    tasks = list(taskset(out, SETTINGS.to_mapping()))
    assert [task.data.name for task in tasks] == [pair.source_id for pair in pairs]
    assert [task.data.prompt_text for task in tasks] == ["\n\n".join(m["content"] for m in r["prompt"]) for r in rows]
    texts = [case.text for case in cases[::ANSWERS]]
    traces = [trace_of(task, text) for task, text in zip(tasks, texts, strict=True)]
    for task, trace in zip(tasks, traces, strict=True):
        asyncio.run(task.score(trace))
    wanted = SETTINGS.open()(
        texts,
        references=[pair.references for pair in pairs],
        labels=[pair.label for pair in pairs],
        swapped=[row["info"]["swapped"] for row in rows],
    ).reward
    assert len(set(wanted)) > 5
    np.testing.assert_allclose([trace.reward for trace in traces], wanted, rtol=1e-9)


def test_a_line_that_is_no_export_is_named(written):
    written.write_text(written.read_text() + '{"prompt": []}\n')
    with pytest.raises(RationaleError, match=r"pairs\.verifiers\.jsonl:26: not as `rationale-rm export"):
        list(taskset(written))


def test_text_that_is_not_utf8_is_named_by_its_line(written):
    written.write_bytes(written.read_bytes() + b'{"prompt": "\xff"}\n')
    with pytest.raises(RationaleError, match=r"pairs\.verifiers\.jsonl:26: not as `rationale-rm export"):
        list(taskset(written))


def test_what_it_cannot_do_is_said(cases):
    from rationale_rm.integrations.verifiers_v1 import PairData, PairTask, PairTaskConfig

    task = PairTask(PairData(prompt="?", **cases[0].fields), PairTaskConfig(reward={"max_length": 5}))
    with pytest.raises(vf.TaskError, match="max_length is set"):
        asyncio.run(task.score(trace_of(task, cases[0].text)))
    assert "verifiers.legacy" not in sys.modules
