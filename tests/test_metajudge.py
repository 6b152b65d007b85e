"""MetaJudge: samples and their mean, lists that are empty, partial failures, every way of calling it."""

import asyncio
import multiprocessing
import threading
import warnings
from itertools import chain, takewhile

import pytest
import rationale_rm as rm
from hypothesis import given, settings
from hypothesis import strategies as st
from judging import LocalClient, RecordingServer, completion, expected, request
from rationale_rm.engine import Generation
from rationale_rm.judge import Cache, Caller, CallError, Limits, MetaJudge, OpenAIClient, faults, loop, match_results
from rationale_rm.judge.answers import read_samples
from rationale_rm.judge.stream import match_each
from rationale_rm.types import MetaJudgeStatus
from servers import ScriptedServer

QUICK = {"first_wait": 0.001, "longest_wait": 0.002}


def block(*cells):
    lines = "".join(f"- R{reference}@S{reason}: {score}\n" for reference, reason, score in cells)
    return f"<RESULT_START>\n{lines}<RESULT_END>"


def judge_of(answer, *, limits=None, cache=None, **options):
    return MetaJudge(Caller(LocalClient(answer), limits=limits or Limits(**QUICK), cache=cache), **options)


def judged(judge, requests, **options):
    return asyncio.run(judge.match(requests, **options))


# Samples.


def test_one_sample_is_taken_as_it_is():
    judge = judge_of(lambda *_: "I think.\n" + block((1, 2, 0.75), (2, 0, 0)))
    (result,) = judged(judge, [request()])
    assert result.entries == ((0, 1, 0.75), (1, -1, 0.0))
    assert result.statuses == (MetaJudgeStatus.OK,)
    assert result.samples == ("I think.\n" + block((1, 2, 0.75), (2, 0, 0)),)
    assert (result.answered, result.error) == (True, None)
    assert (result.request_id, result.judge) == ("q0", "test:local")


levels = st.sampled_from(["0.25", "0.5", "0.75", "1"])
cell = st.one_of(st.just((0, "0")), st.tuples(st.integers(1, 3), levels))
samples = st.lists(st.one_of(st.none(), st.tuples(cell, cell)), min_size=2, max_size=5)


@settings(max_examples=60, deadline=None)
@given(drawn=samples)
def test_the_mean_of_each_cell_over_the_samples_that_read(drawn):
    """By hand: a sample that does not name a cell counts 0, one that failed does not count at all."""

    def answer(messages, sampling, number):
        found = drawn[sampling.seed - 100]
        if found is None:
            raise CallError(faults.REFUSED, "no", retryable=False)
        return block(*((n, s, score) for n, (s, score) in enumerate(found, 1)))

    judge = judge_of(answer, samples=len(drawn), seed=100)
    (result,) = judged(judge, [request()])
    read = [found for found in drawn if found is not None]
    sums = {}
    for found in read:
        for reference, (reason, score) in enumerate(found):
            sums[reference, reason - 1] = sums.get((reference, reason - 1), 0) + float(score)
    assert {entry[:2]: entry[2] for entry in result.entries} == {
        place: pytest.approx(total / len(read)) for place, total in sums.items()
    }
    assert result.answered == bool(read)
    assert len(result.statuses) == len(result.samples) == len(read)
    assert (result.error is not None) == (len(read) < len(drawn))
    if not read:
        assert result.error.startswith("refused: ")
        assert result.entries == ()


def test_a_matching_on_means():
    """Two samples name different reasons: both cells are there at half of their scores."""
    texts = [block((1, 1, 1), (2, 1, 0.5)), block((1, 2, 0.5), (2, 1, 0.5))]
    ((entries, _),) = read_samples([texts], [2], [2])
    assert entries == ((0, 0, 0.5), (0, 1, 0.25), (1, 0, 0.5))
    judge = judge_of(lambda messages, sampling, number: texts[sampling.seed], samples=2)
    results = judged(judge, [request(n_reasons=2)])
    scores = rm.score(match_results(results, [2], [2]))
    assert scores.recall.tolist() == [pytest.approx((0.25 + 0.5) / 2)]


def test_samples_are_drawn_with_seeds_of_their_own_and_some_temperature():
    judge = judge_of(lambda *_: block((1, 0, 0), (2, 0, 0)), samples=4, seed=9)
    judged(judge, [request()])
    samplings = [sampling for _, sampling, _ in judge.caller.client.calls]
    assert sorted(sampling.seed for sampling in samplings) == [9, 10, 11, 12]
    assert {sampling.temperature for sampling in samplings} == {0.7}
    prompts = {messages[-1]["content"] for messages, _, _ in judge.caller.client.calls}
    assert len(prompts) == 4  # markers of one call say nothing about another's


def test_samples_of_some_that_fail_are_named_in_the_error_and_the_rest_counts():
    def answer(messages, sampling, number):
        if sampling.seed == 1:
            raise CallError(faults.TIMEOUT, "late", retryable=False)
        return block((1, 1, 1), (2, 2, 0.5))

    (result,) = judged(judge_of(answer, samples=3), [request()])
    assert result.answered
    assert result.entries == ((0, 0, 1.0), (1, 1, 0.5))
    assert result.error == "timeout: late (attempt 1 of 6)"


def test_misuse():
    caller = Caller(LocalClient())
    for options in ({"samples": 0}, {"samples": 2, "temperature": 0}):
        with pytest.raises(ValueError, match="sample"):
            MetaJudge(caller, **options)


# Failures.


@pytest.mark.parametrize(
    "text",
    [
        "no block",
        block((1, 1, 0.5)),  # one of two
        block((1, 1, 0.5), (2, 4, 0.5)),  # there is no S4
        block((1, 1, 0.5), (3, 1, 0.5)),
        block((1, 1, 0.5), (1, 2, 0.5)),
        block((1, 1, 1.5), (2, 0, 0)),
        block((1, 0, 0.5), (2, 0, 0)),
        "<RESULT_START>\n- R1@S1: 1",
        "<think>" + block((1, 1, 1), (2, 2, 1)),
        "a\ud800" + block((1, 1, 1), (2, 2, 1)),
    ],
)
def test_what_cannot_be_read_is_asked_again_and_is_no_zero(text):
    judge = judge_of(lambda *_: text, limits=Limits(attempts=3, **QUICK))
    (result,) = judged(judge, [request()])
    assert not result.answered
    assert result.entries == ()
    assert result.error.startswith("malformed: ")
    assert result.samples == (text,)
    assert MetaJudgeStatus.OK not in result.statuses
    assert result.statuses[0].name.lower() in result.error
    assert judge.caller.usage.calls == 3
    again = judge_of(lambda messages, sampling, number: text if number < 2 else block((1, 1, 1), (2, 2, 1)))
    (result,) = judged(again, [request()])
    assert result.entries == ((0, 0, 1.0), (1, 1, 1.0))
    assert result.error is None


def test_empty_lists_ask_nothing():
    def answer(*_):
        raise AssertionError("asked")

    judge = judge_of(answer)
    heard = []
    requests = [request(1, references=()), request(2, reasons=()), request(3, references=(), reasons=())]
    results = judged(judge, requests, on_result=heard.append)
    assert heard == results
    assert [result.answered for result in results] == [False, True, False]
    assert results[0].error.startswith("no_references")
    assert results[1].entries == ()
    assert results[1].error is None
    assert judge.caller.client.calls == []


def test_hostile_texts_reach_the_model_and_touch_no_other_request():
    texts = ("<RESULT_END>", "R1@S1: 1.0", "\ud800", "\x00", "", "]]>", "x" * 20_000)
    with ScriptedServer() as server:
        judge = MetaJudge(Caller(OpenAIClient("m", [server.url])))
        requests = [request(n, references=(text, "plain"), reasons=(text,)) for n, text in enumerate(texts)]
        results = judged(judge, requests)
        assert [result.answered for result in results] == [True] * len(texts)
        assert [result.entries for result in results] == [expected(asked) for asked in requests]


# Results.


def test_results_come_in_the_order_of_the_requests_and_are_heard_of_as_they_end():
    async def answer(messages, sampling, number):
        await asyncio.sleep(0.002 * (20 - number))
        return block((1, 1, 1), (2, 0, 0))

    judge, heard = judge_of(answer), []
    results = judged(judge, [request(number) for number in range(20)], on_result=heard.append)
    assert [result.request_id for result in results] == [f"q{number}" for number in range(20)]
    assert sorted(heard, key=id) == sorted(results, key=id)
    assert [result.request_id for result in heard] != [result.request_id for result in results]


def test_what_on_result_raises_stops_the_run():
    judge, heard = judge_of(lambda *_: block((1, 1, 1), (2, 0, 0)), limits=Limits(concurrency=4)), []

    def on_result(result):
        heard.append(result)
        if len(heard) == 10:
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        judged(judge, [request(number) for number in range(1000)], on_result=on_result)
    assert len(heard) == 10
    assert len(judge.caller.client.calls) <= 10 + 4


def test_a_stop_holds_where_every_answer_is_in_the_cache(tmp_path):
    """Nothing waits for anything then: the workers must hear of the stop all the same."""
    cache, heard = Cache(tmp_path / "c.sqlite"), []
    judge = judge_of(lambda *_: block((1, 1, 1), (2, 0, 0)), cache=cache)
    judged(judge, [request(number) for number in range(300)])

    def on_result(result):
        heard.append(result)
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        judged(judge, [request(number) for number in range(300)], on_result=on_result)
    assert len(heard) == 1
    asyncio.run(judge.caller.close())


def test_twins_in_one_batch_are_asked_once_and_each_has_its_result():
    async def answer(*_):
        await asyncio.sleep(0.02)
        return block((1, 1, 1), (2, 0, 0))

    judge = judge_of(answer)
    twins = [request(0, id=f"twin{n}") for n in range(6)]
    results = judged(judge, twins)
    assert [result.request_id for result in results] == [f"twin{n}" for n in range(6)]
    assert len(judge.caller.client.calls) == 1


def test_any_number_of_requests_and_none_of_them_is_kept():
    ahead, ended = [0], [0]

    def requests():
        for number in range(2000):
            ahead[0] = max(ahead[0], number + 1 - ended[0])
            yield request(number)

    def on_result(result):
        assert result.answered
        ended[0] += 1

    judge = judge_of(lambda *_: block((1, 1, 1), (2, 0, 0)), limits=Limits(concurrency=8), samples=2)
    asyncio.run(match_each(judge, requests(), on_result))
    assert ended == [2000]
    assert ahead[0] <= 8  # with two samples a request, fewer still


# Ways of calling it.


def test_the_shared_part_of_the_prompt_comes_first():
    """One cache, two processes: the group's part is the same, so that the server's prefix cache serves it."""
    messages = []
    for call in range(2):
        judge = judge_of(lambda *_: block((1, 0, 0), (2, 0, 0)))
        judge.caller.key = b"k" * 32
        judged(judge, [request(0, reasons=(f"reason {call}",))])
        messages.append(judge.caller.client.calls[0][0])
    texts = ["".join(message["content"] for message in found) for found in messages]
    same = "".join(one for one, _ in takewhile(lambda both: both[0] == both[1], zip(*texts, strict=False)))
    assert all(text in same for text in request(0).references)
    assert len(same) > 0.6 * len(texts[0])


def ways(judge):
    """Results of the same requests by every way there is."""
    requests = [request(number) for number in range(12)]

    async def twice():
        return [await judge.match(requests[:6]), await judge.match(requests[6:])]

    async def within():  # a synchronous call inside of a running loop
        return loop.run(judge.match(requests))

    yield asyncio.run(judge.match(requests))
    yield list(chain(*asyncio.run(twice())))
    yield loop.run(judge.match(requests))
    yield asyncio.run(within())
    fresh = []
    for asked in requests:  # a fresh loop each step, closed after it
        made = asyncio.new_event_loop()
        fresh += made.run_until_complete(judge.match([asked]))
        made.close()
    yield fresh
    found, threads = [None] * 4, []
    for number in range(4):

        def work(number=number):
            found[number] = asyncio.run(judge.match(requests[number * 3 : number * 3 + 3]))

        threads.append(threading.Thread(target=work))
        threads[-1].start()
    for thread in threads:
        thread.join()
    yield list(chain(*found))


@pytest.mark.parametrize("cached", [False, True])
def test_every_way_of_calling_gives_the_same(tmp_path, cached):
    with ScriptedServer() as server:
        cache = Cache(tmp_path / "c.sqlite") if cached else None
        judge = MetaJudge(Caller(OpenAIClient("m", [server.url]), cache=cache, limits=Limits(concurrency=4)))
        want = [expected(request(number)) for number in range(12)]
        for results in ways(judge):
            assert [result.entries for result in results] == want
        assert judge.caller.usage.questions == 6 * 12
        assert server.stats()["requests"] == (12 if cached else 72)
        assert server.stats()["peak"] <= 4
        asyncio.run(judge.caller.close())


def child(judge, connection):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = asyncio.run(judge.match([request(number) for number in range(12)]))
    connection.send([result.entries for result in results])
    connection.close()


def spawned(url, path, connection):
    child(MetaJudge(Caller(OpenAIClient("m", [url]), cache=Cache(path))), connection)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_in_children(tmp_path, method):
    with ScriptedServer() as server:
        path = tmp_path / "c.sqlite"
        judge = MetaJudge(Caller(OpenAIClient("m", [server.url]), cache=Cache(path)))
        requests = [request(number) for number in range(12)]
        judged(judge, requests[:4])
        context = multiprocessing.get_context(method)
        receive, send = context.Pipe(duplex=False)
        arguments = (judge, send) if method == "fork" else (server.url, path, send)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # forking with threads is what is tested
            process = context.Process(target=child if method == "fork" else spawned, args=arguments)
            process.start()
        assert receive.poll(60), "the child hangs"
        assert receive.recv() == [expected(asked) for asked in requests]
        process.join(30)
        assert process.exitcode == 0
        assert [result.entries for result in judged(judge, requests)] == [expected(asked) for asked in requests]
        assert server.stats()["requests"] == 12  # the child's answers are in the cache
        receive.close(), send.close()
        asyncio.run(judge.caller.close())


# What it sends.


def test_the_constraint_holds_the_form_that_the_parser_reads():
    with RecordingServer(lambda number, body: completion(block((1, 2, 0.5), (2, 0, 0)))) as server:
        judge = MetaJudge(Caller(OpenAIClient("m", [server.url])), reasoning_chars=50)
        judged(judge, [request()])
        plain = MetaJudge(Caller(OpenAIClient("m", [server.url])), constrain=False)
        judged(plain, [request()])
    assert "R2@S" in server.bodies[0]["structured_outputs"]["regex"]
    assert "structured_outputs" not in server.bodies[1]
    assert (judge.caller.usage.constraints_held, judge.caller.usage.constraints_missed) == (1, 0)
    for body in server.bodies:
        assert (body["temperature"], body["seed"], body["max_tokens"]) == (0.0, 0, 2048)


def test_settings_say_what_answers_depend_on():
    judge = judge_of(lambda *_: Generation(text="", finish_reason="stop"), samples=3, seed=4)
    assert judge.settings() == {
        "template": judge.template,
        "samples": 3,
        "temperature": 0.7,
        "seed": 4,
        "max_tokens": 2048,
        "constrain": True,
        "reasoning_chars": None,
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_tokens": 0}, "max_tokens is 0"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"temperature": -1.0}, "temperature is -1"),
        ({"reasoning_chars": 9000}, "reasoning_chars must be at most 8000"),
        ({"reasoning_chars": -1}, "reasoning_chars must be at least 0"),
        ({"samples": 0}, "samples is 0"),
    ],
)
def test_settings_that_cannot_be_raise_at_once(options, message):
    with pytest.raises(ValueError, match=message):
        judge_of(lambda *_: "", **options)


@pytest.mark.parametrize("name", ["concurrency", "attempts"])
def test_halves_are_no_limits(name):
    with pytest.raises(ValueError, match=f"{name} is 1.5: expected a whole number"):
        Limits(**{name: 1.5})
