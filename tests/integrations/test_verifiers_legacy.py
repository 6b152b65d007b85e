"""The reward in the rubrics of verifiers up to 0.3, by its own environment: from the prompt to the scored output."""

import asyncio
import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import verifiers.legacy as vf
from critiques import ANSWERS, SETTINGS, expected
from datasets import Dataset
from policy import policy_server
from rationale_rm import RationaleError, group_advantages
from rationale_rm.integrations.verifiers import export_row, verifiers_reward
from rationale_rm.integrations.verifiers_legacy import RationaleRubric
from rationale_rm.rewards import JudgeFailureError, RewardSettings
from servers import ScriptedServer

EXAMPLES = Path(__file__).parents[2] / "examples" / "verifiers"
NOBODY = vf.ClientConfig(api_base_url="http://127.0.0.1:9/v1", api_key_var="KEY")
AWAY = RewardSettings(judge="openai:m@http://127.0.0.1:9/v1", attempts=1)


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("KEY", "none")


def rows_of(cases):
    return [export_row(case.pair, swapped=case.swapped, messages=case.messages) for case in cases[::ANSWERS]]


def generated(environment, cases, **how):
    """`ANSWERS` rollouts of each prompt by verifiers' own loop, in the order of the cases."""
    with policy_server(cases) as url:
        client = vf.ClientConfig(api_base_url=url, api_key_var="KEY")
        found = asyncio.run(
            environment.evaluate(client, "policy", rollouts_per_example=ANSWERS, max_concurrent=1, **how)
        )
    outputs = sorted(found["outputs"], key=lambda output: output["example_id"])
    assert len(outputs) == len(cases)
    return outputs


def by_text(outputs, cases):
    """Outputs in the order of the cases: those of a prompt come as they are done."""
    places = {}
    for place, output in enumerate(outputs):
        places.setdefault((output["info"]["pair_id"], output["completion"][-1]["content"]), []).append(place)
    return [outputs[places[case.pair.source_id, case.text].pop(0)] for case in cases]


def test_an_environment_gives_our_rewards(cases, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    from rationale_genrm_legacy import load_environment

    # An empty answer is an error of the model's server to verifiers, and never scored.
    groups = range(0, len(cases), ANSWERS)
    some = [
        case
        for at in groups
        if all(case.text for case in cases[at : at + ANSWERS])
        for case in cases[at : at + ANSWERS]
    ]
    path = tmp_path / "pairs.verifiers.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows_of(some)))
    environment = load_environment(str(path), SETTINGS.to_mapping())
    outputs = by_text(generated(environment, some), some)
    batch = expected(some)
    assert len(some) > 140
    np.testing.assert_allclose([output["reward"] for output in outputs], batch.reward, rtol=1e-9)
    assert [output["outcome"] for output in outputs] == batch.outcome.tolist()
    assert [output["malformed"] for output in outputs] == (batch.status != 0).tolist()
    assert all(output["error"] is None for output in outputs)


def states_of(cases, rows=None):
    """Rollouts that are done and not scored yet."""
    environment = vf.SingleTurnEnv(dataset=Dataset.from_list(rows_of(cases)), rubric=vf.Rubric())
    rows = rows or [export_row(case.pair, swapped=case.swapped, messages=case.messages) for case in cases]

    async def made():
        states = []
        for number, (case, row) in enumerate(zip(cases, rows, strict=True)):
            state = await environment.init_state({**row, "example_id": number}, client=NOBODY, model="policy")
            state["completion"] = [{"role": "assistant", "content": case.text}]
            state["trajectory"] = [{"advantage": None, "reward": None}]
            states.append(state)
        return states

    return asyncio.run(made())


def test_one_function_in_a_plain_rubric(cases, rewards):
    rubric = vf.Rubric(funcs=[verifiers_reward(SETTINGS)], weights=[2.0])
    states = states_of(cases)
    assert not rubric.has_group_rewards
    for state in states[:ANSWERS]:
        asyncio.run(rubric.score_rollout(state))
    asyncio.run(rubric.score_group(states[ANSWERS:]))
    np.testing.assert_allclose([state["reward"] for state in states], 2 * rewards, rtol=1e-9)
    assert states[0]["metrics"] == {"rationale": pytest.approx(rewards[0])}
    assert states[0]["rationale_rm"]["outcome"] == 1


@pytest.fixture(scope="module")
def outage(cases):
    some = cases[:ANSWERS]
    with ScriptedServer() as server:
        server.configure(hopeless=0.4)
        settings = RewardSettings(judge=f"openai:m@{server.url}", mode="sum", attempts=1, max_failure_rate=1.0)
        wanted = expected(some, settings).reward
        assert 0 < np.isnan(wanted).sum() < ANSWERS - 1
        yield some, settings, wanted


def test_what_no_judge_answered_is_left_out_of_its_group(outage):
    some, settings, wanted = outage
    missing = np.isnan(wanted)
    states = states_of(some)
    asyncio.run(RationaleRubric(settings).score_group(states))
    np.testing.assert_allclose([state["reward"] for state in states], wanted, rtol=1e-9)
    advantages = np.array([state["advantage"] for state in states])
    assert (advantages[missing] == 0).all()
    known = group_advantages(wanted, np.zeros(len(some), dtype=np.int64), method="center")
    np.testing.assert_allclose(advantages[~missing], known[~missing], atol=1e-9)
    assert [state["trajectory"][0]["advantage"] for state in states] == advantages.tolist()
    for state, is_missing in zip(states, missing, strict=True):
        assert isinstance(state["error"], vf.InfraError) == is_missing
        assert state["metrics"]["unanswered"] == is_missing


def test_in_a_plain_rubric_it_is_no_zero_either(outage):
    some, settings, wanted = outage
    states = states_of(some)
    asyncio.run(vf.Rubric(funcs=[verifiers_reward(settings)]).score_group(states))
    np.testing.assert_allclose([state["reward"] for state in states], wanted, rtol=1e-9)
    assert all(math.isnan(state["advantage"]) for state in states)
    assert [state["error"] is not None for state in states] == np.isnan(wanted).tolist()


def test_a_group_without_any_judgement_has_no_advantages(cases):
    right = [case for case, outcome in zip(cases, expected(cases).outcome, strict=True) if outcome == 1][:ANSWERS]
    settings = RewardSettings(judge=AWAY.judge, attempts=1, max_failure_rate=1.0)
    states = states_of(right)
    asyncio.run(RationaleRubric(settings).score_group(states))
    assert all(math.isnan(state["reward"]) and state["advantage"] == 0 for state in states)


def test_an_outage_stops_the_run(cases):
    right = [case for case, outcome in zip(cases, expected(cases).outcome, strict=True) if outcome == 1]
    rows = Dataset.from_list(rows_of(right[:ANSWERS]))
    environment = vf.SingleTurnEnv(dataset=rows, eval_dataset=rows, rubric=RationaleRubric(AWAY))
    with pytest.raises(JudgeFailureError, match="max_failure_rate"):
        generated(environment, [case for case in right if case.pair == right[0].pair])


def test_what_is_not_known_of_an_answer_leaves_its_reward_alone(cases):
    """Every metric is added to the reward by verifiers, times 0: NaN among them would make the reward NaN."""
    some, settings = cases[:ANSWERS], RewardSettings(mode="rationale", judge="lexical")
    wanted = expected(some, settings)
    rows = [export_row(case.pair, swapped=case.swapped, messages=case.messages) for case in some]
    rows = [{**row, "info": {**row["info"], "label": None}} for row in rows]
    groups, single = states_of(some, rows), states_of(some[:1], rows[:1])
    rubric = RationaleRubric(settings, funcs=[lambda completion: 1.0], weights=[0.5])
    asyncio.run(rubric.score_group(groups))
    asyncio.run(rubric.score_rollout(single[0]))
    for state, reward, malformed in zip(
        groups + single, [*wanted.reward, wanted.reward[0]], [*wanted.status, 0], strict=True
    ):
        assert state["reward"] == pytest.approx(reward + 0.5, rel=1e-9)
        assert "outcome" not in state["metrics"]
        assert state["metrics"]["malformed"] == (malformed != 0)
        assert state["error"] is None


def test_data_without_human_reasons_stop_the_run(cases):
    rows = [{"prompt": [], "answer": "", "info": {"label": 1}} for _ in cases[:2]]
    for score in (
        lambda rubric, states: rubric.score_group(states),
        lambda rubric, states: rubric.score_rollout(states[0]),
    ):
        with pytest.raises(RationaleError, match="no references"):
            asyncio.run(score(RationaleRubric(SETTINGS), states_of(cases[:2], rows)))


def test_what_it_cannot_do_is_said():
    with pytest.raises(RationaleError, match="max_length is set"):
        verifiers_reward(RewardSettings(max_length=5))
    assert "verifiers.v1" not in sys.modules
