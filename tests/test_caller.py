"""The caller: nothing lost or doubled, limits, retries, budgets, equal questions asked once, threads, loops, forks."""

import asyncio
import gc
import multiprocessing
import os
import subprocess
import sys
import threading
import time
import warnings
import weakref
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judging import LocalClient, ask, question
from rationale_rm.engine import Generation
from rationale_rm.judge import Caller, CallError, Limits, faults, loop
from rationale_rm.judge.caller import RETRY_TEMPERATURE, Answer

QUICK = {"first_wait": 0.001, "longest_wait": 0.002}


def asked(caller, questions):
    return asyncio.run(ask(caller, questions))


def failing(cause=faults.SERVER_ERROR, **more):
    def answer(*_):
        raise CallError(cause, "no", **more)

    return answer


def test_a_lone_question_takes_one_worker():
    """Trainers that ask for one answer a call have hundreds under way, each with a concurrency of its own."""

    async def tasks(*_):
        found.append(len(asyncio.all_tasks()))
        return "fine"

    found = []
    asked(Caller(LocalClient(tasks), limits=Limits(concurrency=64)), [question()])
    assert found[0] < 10


# Every question ends, once.


@settings(max_examples=60, deadline=None)
@given(
    outcomes=st.lists(
        st.lists(st.sampled_from(["fine", "unread", "error", "fatal"]), min_size=3, max_size=3), max_size=12
    ),
    concurrency=st.integers(1, 5),
)
def test_every_question_ends_as_its_calls_say(outcomes, concurrency):
    """The answer to each question by an oracle that reads its list of outcomes."""

    def answer(messages, sampling, number):
        name = messages[0]["content"].split()[1][:-1]
        at = seen[name]
        seen[name] += 1
        outcome = outcomes[int(name)][at]
        if outcome in ("error", "fatal"):
            raise CallError(faults.SERVER_ERROR, f"{name}/{at}", retryable=outcome == "error")
        return f"{outcome} {name}/{at}"

    def want(name, calls):
        unread = None
        for at, outcome in enumerate(calls):
            if outcome == "fine":
                return Answer(text=f"fine {name}/{at}", finish_reason="stop", prompt_tokens=10, completion_tokens=3), at
            if outcome == "unread":
                unread, error = f"unread {name}/{at}", "malformed: bad"
            else:
                error = f"server_error: {name}/{at}"
            if outcome == "fatal":
                break
        reason = "stop" if unread else None
        return Answer(text=unread, error=f"{error} (attempt {at + 1} of 3)", finish_reason=reason), at

    seen = Counter()
    client = LocalClient(answer)
    caller = Caller(client, limits=Limits(concurrency=concurrency, attempts=3, **QUICK))
    check = lambda text: "bad" if text.startswith("unread") else None  # noqa: E731
    answers = asked(caller, (question(str(n), check=check) for n in range(len(outcomes))))
    wanted = [want(n, calls) for n, calls in enumerate(outcomes)]
    assert answers == {n: found for n, (found, _) in enumerate(wanted)}
    usage, made = (
        caller.usage,
        [call for calls, (_, last) in zip(outcomes, wanted, strict=True) for call in calls[: last + 1]],
    )
    assert usage.questions == len(outcomes)
    assert (
        (usage.calls, usage.retries)
        == (len(made), sum(last for _, last in wanted))
        == (sum(seen.values()), usage.retries)
    )
    assert usage.answers == made.count("fine") + made.count("unread")
    assert (usage.prompt_tokens, usage.completion_tokens) == (usage.answers * 10, usage.answers * 3)
    assert usage.failed == sum(found.error is not None for found, _ in wanted)
    errors = made.count("error") + made.count("fatal")
    want_faults = {"malformed": made.count("unread"), "server_error": errors}
    assert usage.to_dict()["faults"] == {name: count for name, count in want_faults.items() if count}
    assert client.peak <= concurrency


def test_nothing_asked_is_nothing_done():
    caller = Caller(LocalClient())
    assert asked(caller, []) == {}
    assert caller.usage.questions == caller.usage.calls == 0


# Limits.


@pytest.mark.parametrize("concurrency", [1, 3, 16])
def test_concurrency_is_reached_and_not_passed_also_by_several_batches(concurrency):
    async def answer(*_):
        await asyncio.sleep(0.005)
        return "fine"

    client = LocalClient(answer)
    caller = Caller(client, limits=Limits(concurrency=concurrency))

    async def batches():
        await asyncio.gather(*(ask(caller, [question(f"{b}/{n}") for n in range(20)]) for b in range(4)))

    asyncio.run(batches())
    assert len(client.calls) == 80
    assert client.peak == concurrency


def test_a_generator_is_read_as_calls_become_free():
    """Nothing is read or kept far ahead: what has been read and not ended is at most one question a worker."""
    alive, ended, ahead = weakref.WeakSet(), 0, 0

    class Held(dict):
        """A dict that a weak set can hold."""

        __hash__ = object.__hash__

    def questions():
        nonlocal ahead
        for number in range(3000):
            made = question(str(number))
            held = Held(made.key)
            alive.add(held)
            object.__setattr__(made, "key", held)
            del held
            ahead = max(ahead, number + 1 - ended)
            yield made
            del made

    def on_answer(number, answer):
        nonlocal ended
        ended += 1

    caller = Caller(LocalClient(), limits=Limits(concurrency=8))
    most = 0

    def watched(number, answer):
        nonlocal most
        on_answer(number, answer)
        if number % 500 == 0:
            gc.collect()
            most = max(most, len(alive))

    asyncio.run(caller.ask(questions(), watched))
    assert ended == 3000
    assert ahead <= 8
    assert most <= 10
    gc.collect()
    assert len(alive) == 0


def test_requests_a_minute_are_spread_evenly():
    times = []

    async def answer(*_):
        times.append(time.monotonic())
        return "fine"

    caller = Caller(LocalClient(answer), limits=Limits(concurrency=64, requests_per_minute=1200))
    asked(caller, [question(str(n)) for n in range(60)])
    assert len(times) == 60
    # a second's worth at once, then 20 a second; no window of a second holds more than two seconds' worth
    assert times[-1] - times[0] >= 1.9
    for start in times:
        assert sum(start <= moment < start + 1 for moment in times) <= 42


def test_one_request_at_a_time_where_the_limit_is_below_one_a_second():
    times = []

    async def answer(*_):
        times.append(time.monotonic())
        return "fine"

    caller = Caller(LocalClient(answer), limits=Limits(requests_per_minute=50))
    asked(caller, [question(str(n)) for n in range(3)])
    assert min(later - earlier for earlier, later in pairwise(times)) >= 1.1


def test_tokens_a_minute_count_prompts_and_answers():
    times = []

    async def answer(*_):
        times.append(time.monotonic())
        return Generation(text="fine", finish_reason="stop", prompt_tokens=400, completion_tokens=100)

    limits = Limits(concurrency=4, tokens_per_minute=30_000)  # 500 a second, which is one call
    caller = Caller(LocalClient(answer), limits=limits)
    asked(caller, [question(str(n), max_tokens=100) for n in range(64)])
    # one minute's worth may come at once: 60 calls; the rest at one a second
    assert times[-1] - times[0] >= 1.5


def test_limits_must_be_positive_numbers():
    for name in Limits.__dataclass_fields__:
        for value in (0, -1, float("nan")):
            with pytest.raises(ValueError, match=f"{name} is"):
                Limits(**{name: value})


# Retries.


def test_a_greedy_question_is_asked_again_with_another_seed_and_some_temperature():
    client = LocalClient(lambda messages, sampling, number: "no" if number < 3 else "fine")
    caller = Caller(client, limits=Limits(attempts=5, **QUICK))
    wants = question(check=lambda text: None if text == "fine" else "bad", seed=7, temperature=0.0, regex=None)
    (answer,) = asked(caller, [wants]).values()
    assert (answer.text, answer.error) == ("fine", None)
    samplings = [sampling for _, sampling, _ in client.calls]
    assert (samplings[0].seed, samplings[0].temperature) == (7, 0.0)
    assert all(sampling.temperature == RETRY_TEMPERATURE for sampling in samplings[1:])
    seeds = [sampling.seed for sampling in samplings]
    assert len(set(seeds)) == 4
    assert all(0 <= seed < 2**31 for seed in seeds)
    # the same in another run
    again = LocalClient(lambda messages, sampling, number: "no" if number < 3 else "fine")
    asked(Caller(again, limits=Limits(attempts=5, **QUICK)), [wants])
    assert [sampling.seed for _, sampling, _ in again.calls] == seeds


def test_a_warmer_question_keeps_its_temperature_and_errors_change_nothing():
    def answer(messages, sampling, number):
        if number == 0:
            raise CallError(faults.SERVER_ERROR, "no")
        return "no" if number == 1 else "fine"

    client = LocalClient(answer)
    wants = question(check=lambda text: None if text == "fine" else "bad", seed=7, temperature=0.9, top_p=0.8)
    asked(Caller(client, limits=Limits(**QUICK)), [wants])
    samplings = [sampling for _, sampling, _ in client.calls]
    assert samplings[0] == samplings[1] == wants.sampling  # no answer was read yet: the same question
    assert samplings[2].seed != 7
    assert (samplings[2].temperature, samplings[2].top_p) == (0.9, 0.8)


def test_each_call_has_a_prompt_of_its_own():
    names = []

    def prompt(call):
        from rationale_rm.prompts import Prompt

        names.append(call)
        return Prompt(messages=({"role": "user", "content": call},), template="t")

    client = LocalClient(lambda messages, sampling, number: "no")
    asked(Caller(client, limits=Limits(attempts=4, **QUICK)), [question(check=lambda text: "bad", prompt=prompt)])
    assert len(set(names)) == len(names) == 4


def test_what_cannot_help_is_not_asked_again():
    client = LocalClient(failing(faults.REFUSED, retryable=False))
    caller = Caller(client, limits=Limits(attempts=6))
    (answer,) = asked(caller, [question()]).values()
    assert len(client.calls) == 1
    assert answer.text is None
    assert answer.error.startswith("refused: no")


def test_the_server_says_how_long_to_wait():
    times = []

    def answer(messages, sampling, number):
        times.append(time.monotonic())
        if number < 2:
            raise CallError(faults.RATE_LIMITED, "no", retry_after=(0.4, 0.25)[number])
        return "fine"

    asked(Caller(LocalClient(answer), limits=Limits(**QUICK)), [question()])
    assert times[1] - times[0] >= 0.4
    assert times[2] - times[1] >= 0.25


def test_a_wait_beyond_the_budget_is_given_up_at_once():
    client = LocalClient(failing(faults.RATE_LIMITED, retry_after=86_400))
    caller = Caller(client, limits=Limits(request_budget=120))
    began = time.monotonic()
    (answer,) = asked(caller, [question()]).values()
    assert time.monotonic() - began < 60
    assert answer.error.startswith("budget: ")
    assert "rate_limited" in answer.error


# Time budgets.


@pytest.mark.parametrize("name", ["request_budget", "batch_budget"])
def test_a_spent_budget_is_the_cause(name):
    async def answer(*_):
        await asyncio.sleep(0.05)
        raise CallError(faults.SERVER_ERROR, "no")

    caller = Caller(LocalClient(answer), limits=Limits(attempts=1000, concurrency=2, **QUICK, **{name: 0.4}))
    answers = asked(caller, [question(str(n)) for n in range(6)])
    assert len(answers) == 6
    for found in answers.values():
        assert found.text is None
        assert found.error.startswith("budget: ")
    assert caller.usage.failed == 6


def test_a_call_gets_no_more_time_than_the_budget_has_left():
    async def answer(messages, sampling, number):
        try:
            await asyncio.wait_for(asyncio.sleep(60), client.calls[number][2])
        except asyncio.TimeoutError:
            raise CallError(faults.TIMEOUT, "late") from None

    client = LocalClient(answer)
    caller = Caller(client, limits=Limits(timeout=50, request_budget=0.2, **QUICK))
    (found,) = asked(caller, [question()]).values()
    assert all(timeout <= 0.2 for _, _, timeout in client.calls)
    assert found.error.startswith("budget: ")


def test_the_batch_ends_in_time_also_where_it_waits_for_the_rate_limit():
    caller = Caller(LocalClient(), limits=Limits(requests_per_minute=6, batch_budget=0.3))
    answers = asked(caller, [question(str(n)) for n in range(5)])
    assert [found.error is None for found in answers.values()].count(True) == 1
    assert {found.error.partition(":")[0] for found in answers.values() if found.error} == {"budget"}


def test_a_batch_does_not_wait_for_another_one_beyond_its_own_budget():
    """The early batch comes to a question that the late one has under way, and has less time than that one."""

    async def answer(messages, sampling, number):
        await asyncio.sleep(0.3 if number == 0 else 3)
        return "fine"

    async def main():
        caller = Caller(LocalClient(answer), limits=Limits(batch_budget=0.8, concurrency=2))
        ended = []

        async def batch(name, questions):
            found = await ask(caller, questions)
            ended.append(name)
            return found

        # two workers, so that the early batch has one for each of its first two questions
        early = asyncio.ensure_future(batch("early", iter_later()))
        await asyncio.sleep(0.1)
        late = asyncio.ensure_future(batch("late", [question("same")]))
        return await early, await late, ended

    def iter_later():
        yield question("first")  # number 0
        yield question("first")
        yield question("same")

    early, late, ended = asyncio.run(main())
    assert early[0].text == early[1].text == "fine"
    assert early[2].error == "budget: the batch's time budget was spent while an equal question was under way"
    assert late[0].text == "fine"  # a client that took longer than it was told
    assert ended == ["early", "late"]


def test_what_another_batch_gave_up_is_asked_anew_by_a_batch_with_time_left():
    async def main():
        calls = []

        async def answer(messages, sampling, number):
            calls.append(time.monotonic())
            if number == 0:
                await asyncio.sleep(0.8)
                raise CallError(faults.TIMEOUT, "late")
            return "fine"

        caller = Caller(LocalClient(answer), limits=Limits(batch_budget=0.6, concurrency=4))
        early = asyncio.ensure_future(ask(caller, [question("same")]))
        await asyncio.sleep(0.4)
        late = asyncio.ensure_future(ask(caller, [question("same")]))
        return await early, await late

    early, late = asyncio.run(main())
    assert early[0].error.startswith("budget: ")
    assert late[0].error is None


# Equal questions.


def test_equal_questions_under_way_are_asked_once():
    async def answer(*_):
        await asyncio.sleep(0.02)
        return "fine"

    client = LocalClient(answer)
    caller = Caller(client, limits=Limits(concurrency=32))
    answers = asked(caller, [question(str(n % 4)) for n in range(32)])
    assert len(answers) == 32
    assert {found.text for found in answers.values()} == {"fine"}
    assert len(client.calls) == 4
    assert (caller.usage.shared, caller.usage.questions) == (28, 32)


def test_equal_questions_share_a_failure_too():
    async def answer(*_):
        await asyncio.sleep(0.02)
        raise CallError(faults.REFUSED, "no", retryable=False)

    client = LocalClient(answer)
    caller = Caller(client, limits=Limits(concurrency=8))
    answers = asked(caller, [question("same") for _ in range(8)])
    assert len(client.calls) == 1
    assert {found.error for found in answers.values()} == {"refused: no (attempt 1 of 6)"}
    assert caller.usage.failed == 8


def test_a_stopped_batch_takes_no_other_one_down():
    """The batch that asks is stopped; the one that waits for the same answer asks anew."""

    async def answer(messages, sampling, number):
        await asyncio.sleep(0.2)
        return "fine"

    async def main():
        client = LocalClient(answer)
        caller = Caller(client)
        first = asyncio.ensure_future(ask(caller, [question("same")]))
        await asyncio.sleep(0.05)
        second = asyncio.ensure_future(ask(caller, [question("same")]))
        await asyncio.sleep(0.05)
        first.cancel()
        answers = await second
        with pytest.raises(asyncio.CancelledError):
            await first
        return client, answers

    client, answers = asyncio.run(main())
    assert answers[0].text == "fine"
    assert len(client.calls) == 2


def test_a_stop_asks_nothing_anew_for_equal_questions():
    """Workers that wait for a twin of their own batch are stopped with it."""

    async def answer(messages, sampling, number):
        if messages[0]["content"] == "Question stop.":
            await asyncio.sleep(0.1)
            return "fine"
        raise CallError(faults.SERVER_ERROR, "no", retry_after=30)

    def stop(number, found):
        raise RuntimeError("enough")

    client = LocalClient(answer)
    caller = Caller(client, limits=Limits(concurrency=16))
    with pytest.raises(RuntimeError, match="enough"):
        asyncio.run(caller.ask([question("same") for _ in range(10)] + [question("stop")], stop))
    assert len(client.calls) == 2


# Stops.


def test_what_on_answer_raises_stops_the_run_and_cancels_what_is_under_way():
    cancelled = []

    async def answer(messages, sampling, number):
        if number == 0:
            return "fine"
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(number)
            raise

    def stop(number, found):
        raise KeyError("stop here")

    client = LocalClient(answer)
    caller = Caller(client, limits=Limits(concurrency=8))
    with pytest.raises(KeyError, match="stop here"):
        asyncio.run(caller.ask((question(str(n)) for n in range(1000)), stop))
    assert len(client.calls) <= 16
    assert len(cancelled) == len(client.calls) - 1
    assert client.under_way == 0
    # and the caller can be used again
    client.answer = lambda *_: "fine"
    assert asked(caller, [question("again")])[0].text == "fine"


def test_a_fault_of_the_questions_stops_the_run():
    def questions():
        yield question("0")
        raise OSError("the file is gone")

    caller = Caller(LocalClient(), limits=Limits(concurrency=4))
    with pytest.raises(OSError, match="the file is gone"):
        asked(caller, questions())


def test_a_prompt_that_cannot_be_rendered_stops_the_run():
    def prompt(call):
        raise ImportError("no jinja2")

    with pytest.raises(ImportError, match="no jinja2"):
        asked(Caller(LocalClient()), [question(prompt=prompt)])


# From anywhere.


def test_from_fresh_loops_from_threads_and_from_without_a_loop():
    client = LocalClient()
    caller = Caller(client, limits=Limits(concurrency=4))
    for step in range(5):  # a fresh loop every step
        assert len(asked(caller, [question(f"a{step}/{n}") for n in range(10)])) == 10
    assert len(loop.run(ask(caller, [question(f"b{n}") for n in range(10)]))) == 10

    found, problems = [], []

    def work(name):
        try:
            for step in range(5):
                found.append(asked(caller, [question(f"c{name}/{step}/{n}") for n in range(10)]))
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert sum(map(len, found)) == 400
    assert len(client.calls) == 50 + 10 + 400
    assert client.peak <= 4


def test_inside_a_running_loop_and_blocking_it():
    caller = Caller(LocalClient())

    async def main():  # as a notebook does: a synchronous reward within a loop
        return loop.run(ask(caller, [question("x")]))

    assert asyncio.run(main())[0].text == "fine"


def test_waiting_on_the_loop_for_the_loop_is_refused():
    """A callback that asks again and waits would wait for itself."""
    caller = Caller(LocalClient())

    def on_answer(number, answer):
        work = ask(caller, [question("y")])
        try:
            loop.run(work)
        finally:
            work.close()

    with pytest.raises(RuntimeError, match="wait"):
        asyncio.run(caller.ask([question("x")], on_answer))


def test_cancelled_from_outside():
    async def answer(*_):
        await asyncio.sleep(60)

    client = LocalClient(answer)
    caller = Caller(client)

    async def main():
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(ask(caller, [question(str(n)) for n in range(5)]), 0.1)

    asyncio.run(main())
    deadline = time.monotonic() + 10
    while client.under_way and time.monotonic() < deadline:
        time.sleep(0.01)
    assert client.under_way == 0


def test_tasks_do_not_pile_up():
    counts = []

    async def answer(*_):
        counts.append(len(asyncio.all_tasks()))
        return "fine"

    caller = Caller(LocalClient(answer), limits=Limits(concurrency=8))
    asked(caller, [question(str(n)) for n in range(2000)])
    assert max(counts) <= 8 + 4
    assert max(counts[1500:]) <= max(counts[:100])


def in_child(caller, connection):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answers = asyncio.run(ask(caller, [question("same"), question("other")]))
    connection.send([answers[n].text for n in range(2)])
    connection.close()


def test_in_a_forked_child_while_the_parent_asks_the_same():
    """The child has the parent's objects but not its thread: nothing under way there may be waited for."""
    started = threading.Event()

    async def answer(messages, sampling, number):
        started.set()
        if os.getpid() == parent:
            await asyncio.sleep(1.5)
        return f"fine {os.getpid() == parent}"

    parent = os.getpid()
    caller = Caller(LocalClient(answer))
    found = []
    thread = threading.Thread(target=lambda: found.append(asked(caller, [question("same")])))
    thread.start()
    started.wait()
    context = multiprocessing.get_context("fork")
    receive, send = context.Pipe(duplex=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking with threads is what is tested
        child = context.Process(target=in_child, args=(caller, send))
        child.start()
    assert receive.poll(30), "the child hangs"
    assert receive.recv() == ["fine False", "fine False"]
    child.join(10)
    assert child.exitcode == 0
    receive.close(), send.close()
    thread.join()
    assert found[0][0].text == "fine True"


def test_no_noise_at_the_end_of_the_interpreter():
    """Also where the program ends while calls are under way in a thread of its own."""
    code = """
import asyncio, threading, time
from judging import LocalClient, ask, question
from rationale_rm.judge import Caller
async def answer(*_):
    started.set()
    await asyncio.sleep(30)
started = threading.Event()
caller = Caller(LocalClient(answer))
threading.Thread(target=lambda: asyncio.run(ask(caller, [question()])), daemon=True).start()
started.wait()
"""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", code],
        capture_output=True,
        text=True,
        cwd=os.path.dirname(__file__),
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_silence_is_asked_again_with_another_seed_and_without_greed():
    def silent_once(messages, sampling, number):
        if number == 0:
            raise CallError(faults.EMPTY_ANSWER, "no text")
        return "fine"

    client = LocalClient(silent_once)
    asked(Caller(client, limits=Limits(attempts=3, **QUICK)), [question(temperature=0.0, seed=7)])
    first, second = (sampling for _, sampling, _ in client.calls)
    assert (first.seed, first.temperature) == (7, 0.0)
    assert second.seed != 7
    assert second.temperature == RETRY_TEMPERATURE


def test_a_wait_that_is_longer_than_the_budget_is_named():
    client = LocalClient(failing(faults.RATE_LIMITED, retry_after=86_400.0))
    answers = asked(Caller(client, limits=Limits(request_budget=30, **QUICK)), [question()])
    assert answers[0].error.startswith("budget: the server asks to wait 86,400 s, longer than the time budget leaves")
    assert len(client.calls) == 1


def test_an_answer_that_was_cut_says_what_helps():
    cut = LocalClient(lambda *_: Generation(text="half", finish_reason="length"))
    check = lambda text: "unclosed_block"  # noqa: E731
    answers = asked(Caller(cut, limits=Limits(attempts=1, **QUICK)), [question(check=check)])
    assert answers[0].error.startswith("malformed: unclosed_block, cut at the limit of max_tokens: allow more")
