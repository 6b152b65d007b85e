"""The clients against a real vLLM server: constraints, seeds, limits, prefix cache, honest failures."""

import asyncio

import pytest
from rationale_rm import parse_metajudge, prompts
from rationale_rm.engine import Sampling
from rationale_rm.judge import Caller, CallError, Limits, MetaJudge, OpenAIClient
from rationale_rm.rewards import RationaleReward
from rationale_rm.types import MatchRequest, MetaJudgeStatus

from benches import judging_inputs

N_REQUESTS = 240


@pytest.fixture
def client(vllm_server):
    return OpenAIClient(vllm_server.model_name, [vllm_server.base_url])


def requests_of(rows):
    return [
        MatchRequest(
            id=f"match-{row}",
            critique_id=str(row),
            pair_id=str(group),
            model="policy",
            references=tuple(references),
            reasons=tuple(reasons[: 1 + row % judging_inputs.N_REASONS]),
            swapped=row % 2 == 1,
        )
        for row, (group, references, reasons) in enumerate(zip(rows.groups, rows.references, rows.reasons, strict=True))
    ]


def judged(client, requests, **options):
    """Results and usage; the caller is closed."""

    async def run():
        caller = Caller(client, limits=Limits(concurrency=32, attempts=options.pop("attempts", 6)))
        results = await MetaJudge(caller, **options).match(requests)
        await caller.close()
        return results, caller.usage

    return asyncio.run(run())


def complete(client, content, sampling):
    async def run():
        try:
            return await client.complete([{"role": "user", "content": content}], sampling, timeout=120)
        finally:
            await client.close()

    return asyncio.run(run())


def grown(server, before, name):
    return server.metrics()[name] - before[name]


def test_constrained_answers_are_never_malformed(client):
    """The model is random: only the constraint makes its answers readable. Every first answer must be."""
    requests = requests_of(judging_inputs.step(N_REQUESTS // judging_inputs.GROUP))
    results, usage = judged(client, requests, temperature=1.0, reasoning_chars=200, attempts=1)
    assert len(results) == N_REQUESTS
    for request, result in zip(requests, results, strict=True):
        assert result.error is None
        assert result.statuses == (MetaJudgeStatus.OK,)
        parsed = parse_metajudge(result.samples, [len(request.references)], [len(request.reasons)])
        assert parsed.status.tolist() == [0]
        assert all(reason < len(request.reasons) for _, reason, _ in result.entries)
        assert {score for _, _, score in result.entries} <= {0.0, 0.25, 0.5, 0.75, 1.0}
    # A few answers of a random model may be alike: one pair in 240 was met, in one of several runs.
    assert len({result.samples for result in results}) >= N_REQUESTS - 4, "free reasoning differs"
    assert usage.calls == usage.constraints_held == N_REQUESTS
    assert usage.constraints_missed == usage.retries == usage.failed == 0


def test_without_the_constraint_the_same_model_scores_nothing(client):
    """What the test above rests on; and no answer is no score, not 0."""
    requests = requests_of(judging_inputs.step(1))
    results, usage = judged(client, requests, temperature=1.0, constrain=False, max_tokens=60, attempts=2)
    for result in results:
        assert not result.answered
        assert result.entries == ()
        assert result.error.startswith("malformed")
    assert usage.calls == 2 * len(requests)
    assert usage.failed == len(requests)


def test_the_server_and_the_usage_count_alike(client, vllm_server):
    before = vllm_server.metrics()
    requests = requests_of(judging_inputs.step(4))
    _, usage = judged(client, requests, reasoning_chars=0, max_tokens=256)
    assert usage.calls == grown(vllm_server, before, "vllm:request_success_total") == len(requests)
    assert usage.prompt_tokens == grown(vllm_server, before, "vllm:prompt_tokens_total")
    assert usage.completion_tokens == grown(vllm_server, before, "vllm:generation_tokens_total")
    assert usage.cached_tokens == grown(vllm_server, before, "vllm:prompt_tokens_cached_total") > 0


def test_the_prefix_cache_serves_the_rules_and_the_group(client, vllm_server):
    """Two calls of a group differ from the model list on: all blocks of 128 tokens before it are shared."""
    rows = judging_inputs.step(6)
    requests = requests_of(rows)[-judging_inputs.GROUP :]
    judged(client, requests[:1], reasoning_chars=0, max_tokens=256)
    before = vllm_server.metrics()
    results, usage = judged(client, requests[1:], reasoning_chars=0, max_tokens=256)
    assert all(result.answered for result in results)
    hits = grown(vllm_server, before, "vllm:prefix_cache_hits_total")
    assert hits / usage.prompt_tokens > 0.5


def test_seeds_are_honoured(client):
    texts = [complete(client, "Judge.", Sampling(max_tokens=24, temperature=1.0, seed=s)).text for s in (3, 3, 4)]
    assert texts[0] == texts[1] != texts[2]


def test_a_prompt_that_is_too_long_is_refused_and_named(client):
    with pytest.raises(CallError, match="maximum context length") as caught:
        complete(client, "word " * 6000, Sampling(max_tokens=8))
    assert (caught.value.cause, caught.value.status, caught.value.retryable) == ("refused", 400, False)
    assert client.constrains


def test_a_model_that_is_not_served_is_refused(vllm_server):
    with pytest.raises(CallError, match="does not exist") as caught:
        complete(OpenAIClient("another", [vllm_server.base_url]), "Judge.", Sampling(max_tokens=8))
    assert (caught.value.cause, caught.value.status) == ("refused", 404)


def test_one_bad_row_spoils_no_other(client):
    """A model list beyond the context ends as an error; its neighbours are scored."""
    requests = requests_of(judging_inputs.step(1))
    long = MatchRequest(
        id="long", critique_id="long", pair_id="0", model="policy", references=("x",), reasons=("word " * 6000,)
    )
    results, usage = judged(client, [*requests, long], reasoning_chars=0, max_tokens=256)
    assert [result.answered for result in results] == [True] * len(requests) + [False]
    assert results[-1].error.startswith("refused")
    # A 400 may be for the constraint: the row is asked once more without it, and then no more.
    assert usage.calls == len(requests) + 2
    assert usage.faults == {"refused": 2}


def test_a_reward_step(client, vllm_server):
    """Gate and audit on a real server: the calls it counts are those of the rows that were judged."""
    rows = judging_inputs.step(8)
    before = vllm_server.metrics()

    async def run():
        caller = Caller(client, limits=Limits(concurrency=32))
        reward = RationaleReward(MetaJudge(caller, reasoning_chars=0, max_tokens=256))
        batch = await reward.score(rows.texts, references=rows.references, labels=rows.labels, groups=rows.groups)
        await caller.close()
        return batch

    batch = asyncio.run(run())
    assert batch.outcome.tolist() == [float(right) for right in rows.right]
    assert batch.judged.sum() == grown(vllm_server, before, "vllm:request_success_total")
    assert batch.judged.sum() <= 0.75 * len(rows.texts) + 8
    assert ((batch.reward > 0) <= (batch.outcome == 1)).all()
    assert batch.errors == (None,) * len(rows.texts)
    assert (batch.reward >= 0).all()


def test_the_prompt_fits_the_context_with_room(client):
    """What `--max-model-len` of the fixture must hold: rules, 7 human and 5 model reasons, an answer."""
    rows = judging_inputs.step(8)
    most = max(range(len(rows.texts)), key=lambda row: sum(map(len, rows.references[row] + rows.reasons[row])))
    prompt = prompts.metajudge(rows.references[most], rows.reasons[most], key=b"k" * 32, call="c")
    content = "\n".join(message["content"] for message in prompt.messages)
    assert complete(client, content, Sampling(max_tokens=1)).prompt_tokens < 4096 - 512
