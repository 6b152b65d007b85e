"""The reward server answers what the package computes in process."""

import asyncio
import json
import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import rationale_rm as rm
from judging import RecordingServer
from rationale_rm.judge import NO_REFERENCES
from rationale_rm.judge.local import LexicalJudge
from rationale_rm.rewards import RewardSettings
from rationale_rm.types import MatchRequest
from reward_server import RewardServer, world_batch
from servers import ScriptedServer

REASON = "1. Response B breaks rule 2."
ONE = f"<RESULT_START>\nList of reasons:\n{REASON}\nFinal assessment result:\n\\boxed{{A>B}}\n<RESULT_END>"


@pytest.fixture(scope="module")
def server():
    with RewardServer() as running:
        yield running


def same(found, expected):
    """Columns of an answer and of the core: null stands for NaN, and nothing else does."""
    found = [math.nan if value is None else value for value in found]
    np.testing.assert_array_equal(np.array(found, dtype=np.float64), np.asarray(expected, dtype=np.float64))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"mode": "sum", "weight": 0.3, "rationale": "f1"},
        {"mode": "papo", "audit": 0.5},
        {"top_k": 1, "gate": False},
    ],
    ids=str,
)
def test_rewards_equal_those_in_process(changes):
    batch = world_batch()
    expected = RewardSettings(**changes).open()(**batch)
    options = [part for name, value in changes.items() for part in ("--set", f"{name}={json.dumps(value)}")]
    with RewardServer(*options) as server:
        found = server.post("/v1/rewards", batch)
    for name in ("reward", "advantage", "outcome", "rationale", "rc", "group", "audit_weight", "judged", "gated"):
        same(found[name], getattr(expected, name))
    same(found["verdict"], np.where(expected.verdict == rm.NO_VERDICT, np.nan, expected.verdict))
    assert found["status"] == [rm.GENRM_STATUSES[code] for code in expected.status]
    assert "ok" in found["status"]
    assert len(set(found["status"])) > 1
    assert len({value for value in found["reward"] if value is not None}) > 3
    unknown = [at for at, value in enumerate(found["reward"]) if value is None]
    assert unknown
    assert all(found["errors"][at].startswith("no_label") for at in unknown)


def test_scores_equal_those_of_the_core(server):
    """Each row by itself: parse, judge, match, score."""
    batch = world_batch()
    asked = {name: batch[name] for name in ("texts", "references", "labels", "swapped")}
    found = server.post("/v1/score", asked)
    judge = LexicalJudge()
    for row, text in enumerate(batch["texts"]):
        parsed = rm.parse_genrm([text])
        reasons = parsed.reasons[0]
        request = MatchRequest(
            id="r", critique_id="c", pair_id="p", model="m", references=tuple(batch["references"][row]),
            reasons=tuple(reasons), swapped=batch["swapped"][row],
        )  # fmt: skip
        table = np.zeros((1, len(request.references), max(len(reasons), 1)))
        for reference, reason, score in judge.answer([request])[0].entries:
            table[0, reference, reason] = score
        scores = rm.score(rm.match(table, [len(request.references)], [len(reasons)]))
        for name, column in (("rc", scores.recall), ("precision", scores.precision), ("f1", scores.f1),
                             ("ap", scores.ap), ("soft_ap", scores.soft_ap)):  # fmt: skip
            assert found[name][row] == column[0], (name, row)
        level = None if parsed.verdict[0] == rm.NO_VERDICT else int(parsed.verdict[0])
        assert found["verdict"][row] == (level if level is None or not batch["swapped"][row] else -level)
        label = batch["labels"][row]
        right = (
            None
            if label is None
            else float(found["verdict"][row] is not None and np.sign(found["verdict"][row]) == np.sign(label))
        )
        assert found["outcome"][row] == right
        assert found["n_reasons"][row] == len(reasons)
    assert {value for value in found["rc"] if value} > {0.5} or len(set(found["rc"])) > 5


def metajudge(*lines):
    return "\n".join(["<RESULT_START>", *lines, "<RESULT_END>"])


def test_recorded_judge_answers(server):
    """One sample, several, none, and one that is broken; no judge is asked."""
    references = ["first point", "second point"]
    half = metajudge("- R1@S1: 0.5", "- R2@S0: 0")
    full = metajudge("- R1@S1: 1", "- R2@S0: 0")
    texts = [ONE] * 4 + [ONE.replace("1. Response B breaks rule 2.\n", ""), ONE]
    samples = [[half], [half, full], [], ["broken"], ["whatever"], [half]]
    lists = [references] * 5 + [[]]
    found = server.post("/v1/score", {"texts": texts, "references": lists, "judge_answers": samples})
    assert found["rc"] == [0.25, 0.375, None, None, 0.0, None]
    assert found["ap"] == [0.5, 0.5, None, None, 0.0, None]
    assert found["matches"][:2] == [[[0, 0, 0.5]], [[0, 0, 0.75]]]
    assert found["matches"][4] == []
    assert found["errors"][2].startswith("no_answer")
    assert found["errors"][3].startswith("malformed: ")
    assert found["errors"][5] == NO_REFERENCES
    assert found["judge"] == "recorded"
    assert found["outcome"] == [None] * 6
    single = server.post(
        "/v1/score",
        {"texts": texts[:1] + texts[3:5], "references": [references] * 3, "judge_answers": [[half], ["broken"], ["x"]]},
    )
    assert single["rc"] == [0.25, None, 0.0]


def test_recorded_cells_and_an_impossible_one(server):
    asked = {
        "references": [["a", "b"]] * 4,
        "reasons": [["x", "y"]] * 4,
        "entries": [[[0, 1, 0.75], [1, 1, 1.0], [1, -1, 0.0]], [[2, 0, 1.0]], [[0, 2, 1.0]], None],
    }
    found = server.post("/v1/match", asked)
    assert found["matches"][0] == [[1, 1, 1.0]]
    assert found["total"] == [1.0, None, None, None]
    assert found["cells"][0] == asked["entries"][0]
    assert found["errors"][1:3] == ["malformed: reference_out_of_range", "malformed: reason_out_of_range"]


def test_a_judge_behind_the_server_is_asked_once_a_question(tmp_path):
    """A MetaJudge on a scripted server: equal rows share a question, and the cells are the server's."""
    with ScriptedServer() as judge, RewardServer("--judge", f"openai:m@{judge.url}") as server:
        asked = {"references": [["one point", "another"]] * 3, "reasons": [["a reason", "b reason"]] * 2 + [["c"]]}
        found = server.post("/v1/match", asked)
        assert judge.stats()["requests"] == 2
        metrics = server.ask("GET", "/metrics")[2]
        assert b"rationale_rm_judge_calls_total 2.0" in metrics
        assert b"rationale_rm_judge_failed_total 0.0" in metrics
        server.terminate()
        assert server.ended() == 0
        assert found["cells"][0] == found["cells"][1]
        assert found["errors"] == [None] * 3
        assert found["judge"] == "openai:m", "not where it is"


def test_no_answer_of_the_judge_is_no_reward():
    """Too many failures: 503, to be tried again. With the ceiling lifted: null, with its cause."""
    batch = {"texts": [ONE, ONE], "references": [["a"], ["b"]], "labels": [1, -1]}
    with RecordingServer(lambda number, body: (400, {}, {"error": {"message": "no such model"}})) as judge:
        options = ["--judge", f"openai:m@{judge.url}"]
        with RewardServer(*options) as server:
            status, headers, answer = server.ask("POST", "/v1/rewards", batch)
            assert (status, answer["error"]) == (503, "judge_failed")
            assert headers["retry-after"]
            assert "refused: the judge answered 400" in answer["message"]
            assert judge.url not in answer["message"]
        with RewardServer(*options, "--set", "max_failure_rate=1", "--set", "audit=0") as server:
            found = server.post("/v1/rewards", batch)
            assert found["reward"] == [None, 0.0]
            assert found["errors"][0] == "refused: the judge answered 400"
            assert found["errors"][1] is None
            scored = server.post("/v1/score", {name: batch[name] for name in ("texts", "references")})
            assert scored["rc"] == [None, None]
            assert server.post("/v1/match", {"references": [["a"]], "reasons": [["x"]]})["cells"] == [None]


def test_text_that_is_not_unicode_is_a_fault_of_its_row(server):
    texts = [ONE, f"{ONE}\ud800", "\udfff"]
    found = server.post(
        "/v1/rewards", {"texts": texts, "references": [["Response B breaks rule 2."]] * 3, "labels": [1] * 3}
    )
    assert found["status"] == ["ok", "invalid_unicode", "invalid_unicode"]
    assert found["reward"] == [1.0, 0.0, 0.0]
    matched = server.post("/v1/match", {"references": [["a b"]] * 2, "reasons": [["a b"], ["a \ud800"]]})
    assert matched["total"][1] is None
    assert matched["errors"][1].startswith("invalid_unicode")
    assert matched["errors"][0] is None


def test_an_empty_batch(server):
    assert server.post("/v1/rewards", {"texts": [], "references": [], "labels": []})["reward"] == []
    assert server.post("/v1/score", {"texts": [], "references": []})["rc"] == []
    assert server.post("/v1/score", {"texts": [], "references": [], "judge_answers": []})["rc"] == []
    assert server.post("/v1/match", {"references": [], "reasons": []})["total"] == []
    assert server.post("/get_reward", {"query": [], "prompts": [], "labels": []})["rewards"] == []


# Many at once.


def test_many_clients_get_their_own_answers(server):
    batches = [world_batch(4, 3, seed=number) for number in range(12)]
    expected = [RewardSettings().open()(**batch).reward for batch in batches]
    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(lambda batch: server.post("/v1/rewards", batch)["reward"], batches * 3))
    for number, rewards in enumerate(found):
        same(rewards, expected[number % 12])
    assert len({tuple(map(str, rewards)) for rewards in found}) == 12


def test_health_is_answered_while_a_batch_is_scored(server):
    """A batch that takes the judge long; the health checks all end before it does."""
    batch = world_batch(500, 4, seed=9)
    done = threading.Event()

    def score():
        server.post("/v1/rewards", batch)
        done.set()

    thread = threading.Thread(target=score)
    thread.start()
    answered = 0
    while not done.is_set() and answered < 20:
        status, _, answer = server.ask("GET", "/healthz")
        assert (status, answer) == (200, {"status": "ok"})
        answered += not done.is_set()
        time.sleep(0.01)
    thread.join()
    assert answered == 20


def test_metrics_count_what_was_asked():
    with RewardServer() as server:
        for _ in range(3):
            server.post("/v1/rewards", {"texts": [ONE, None], "references": [["a"], ["b"]], "labels": [1, None]})
        server.ask("POST", "/v1/rewards", "{")
        status, _, text = server.ask("GET", "/metrics")
        lines = text.decode().splitlines()
    assert status == 200
    for line in (
        'rationale_rm_requests_total{path="/v1/rewards",status="200"} 3.0',
        'rationale_rm_requests_total{path="/v1/rewards",status="400"} 1.0',
        'rationale_rm_rows_total{path="/v1/rewards"} 6.0',
        'rationale_rm_rows_with_error_total{path="/v1/rewards"} 3.0',
        "rationale_rm_requests_pending 0.0",
        "rationale_rm_rows_pending 0.0",
    ):
        assert line in lines


def test_logs_hold_neither_texts_nor_keys():
    planted = "planted-text-0123456789"
    key = "sk-planted-key-0123456789"
    batch = {"texts": [f"{planted} {ONE}"], "references": [[planted]], "labels": [1], "ids": [planted]}
    with (
        RecordingServer(lambda number, body: (500, {}, {"error": {"message": planted}})) as judge,
        RewardServer(
            "--judge", f"openai:m@{judge.url}", "--set", "attempts=1", token=planted, OPENAI_API_KEY=key
        ) as server,
    ):
        for path, body in (
            ("/v1/rewards", batch),
            ("/v1/match", {planted: 1}),
            (f"/{planted}?{planted}", {}),
            ("/v1/score", f'"{planted}'),
        ):
            server.ask("POST", path, body, headers={"X-Planted": planted})
        server.raw(f"{planted} / HTTP/1.1\r\n\r\n".encode())
        server.terminate()
        assert server.ended() == 0
        log = json.dumps(server.log)
    assert planted not in log
    assert key not in log
    assert [line["status"] for line in server.events("request")] == [503, 422, 404, 400]
    assert all(line["id"] and line["seconds"] > 0 for line in server.events("request"))


# OpenRLHF.


def label(**changes):
    return json.dumps(
        {"references": ["Response B breaks rule 2."], "label": 1, "swapped": False, "pair_id": "p"} | changes
    )


def test_openrlhfs_protocol(server):
    prompt = f"Judge, in this form:\n{ONE.replace('A>B', 'B>A')}\nAnswer: "
    asked = {
        "query": [f"{prompt}{ONE}<|im_end|>", prompt],
        "prompts": [prompt] * 2,
        "labels": [label(), label(label="A>B")],
    }
    found = server.post("/get_reward", asked)
    assert found["rewards"] == found["scores"] == [1.0, 0.0]
    assert found["extra_logs"] == {
        "outcome": [1.0, 0.0],
        "malformed": [0.0, 1.0],
        "judged": [1.0, 0.0],
        "unanswered": [0.0, 0.0],
        "scored": [1.0, 1.0],
        "scored_rationale": [1.0, 0.0],
        "scored_rc": [found["extra_logs"]["scored_rc"][0], 0.0],
    }


def test_openrlhfs_rewards_equal_those_in_process(server):
    batch = world_batch()
    rows = [at for at, level in enumerate(batch["labels"]) if level is not None]
    expected = RewardSettings().open()(**batch).reward
    asked = {
        "query": [f"Prompt {at}: {batch['texts'][at]}" for at in rows],
        "prompts": [f"Prompt {at}: " for at in rows],
        "labels": [
            json.dumps(
                {"references": batch["references"][at], "label": batch["labels"][at], "swapped": batch["swapped"][at]}
            )
            for at in rows
        ],
    }
    same(server.post("/get_reward", asked)["rewards"], expected[rows])
    alone = [
        server.post("/get_reward", {name: [column[at]] for name, column in asked.items()})["rewards"][0]
        for at in range(len(rows))
    ]
    same(alone, expected[rows])


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (label(label=None), "no_label"),
        (label(label=None, references=["Something else altogether."]), "no_label"),
        (label(references=[]), "references"),
        (label(label=5), "label"),
        ("[" * 100_000, "labels[0]"),
        ("{}", "references"),
        (label(references=["\ud800"]), "Unicode"),
    ],
)
def test_what_the_data_lack_is_said(server, labels, message):
    status, _, answer = server.ask("POST", "/get_reward", {"query": [f"p{ONE}"], "prompts": ["p"], "labels": [labels]})
    assert (status, answer["error"]) == (422, "invalid")
    assert message in answer["message"]


def test_a_query_that_is_not_its_prompts(server):
    """The block that the prompt shows must not be taken for an answer."""
    asked = {"query": [f"another prompt {ONE}"], "prompts": ["the prompt "], "labels": [label()]}
    status, _, answer = server.ask("POST", "/get_reward", asked)
    assert status == 422
    assert "does not begin with" in answer["message"]


def test_openrlhf_is_told_of_an_outage_by_a_status_that_it_asks_again_after():
    async def ask(port):
        import aiohttp

        url = f"http://127.0.0.1:{port}/get_reward"
        async with aiohttp.ClientSession() as session, session.post(url, json=asked) as response:  # as its client does
            response.raise_for_status()

    asked = {"query": [f"p{ONE}"], "prompts": ["p"], "labels": [label()]}
    with RecordingServer(lambda number, body: (500, {}, b"")) as judge:
        options = ["--judge", f"openai:m@{judge.url}", "--set", "attempts=1"]
        with RewardServer(*options) as server, pytest.raises(Exception, match="503"):
            asyncio.run(ask(server.port))


def test_a_mode_that_makes_advantages_is_none_for_openrlhf():
    with RewardServer("--set", "mode=papo") as server:
        status, _, answer = server.ask("POST", "/get_reward", {"query": ["p"], "prompts": ["p"], "labels": [label()]})
        assert status == 422
        assert "papo" in answer["message"]
