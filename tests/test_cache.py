"""The cache: what is kept comes back, whoever dies; what cannot be kept loses no answer; what the key holds."""

import asyncio
import json
import logging
import multiprocessing
import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judging import LocalClient, ask, environment, question, request
from rationale_rm import prompts
from rationale_rm.engine import Generation, Sampling
from rationale_rm.judge import Cache, CacheError, Caller, Limits, MetaJudge
from rationale_rm.judge import cache as cache_module
from rationale_rm.judge.caller import question_key
from servers import ScriptedServer

TESTS = Path(__file__).parent


def kept(text="fine", **changes):
    return Generation(**({"text": text, "finish_reason": "stop", "prompt_tokens": 7, "completion_tokens": 3} | changes))


def rows(path):
    with sqlite3.connect(path) as connection:
        found = dict(connection.execute("SELECT key, text FROM answers"))
        (said,) = connection.execute("PRAGMA integrity_check").fetchone()
    connection.close()
    assert said == "ok"
    return found


# What is kept.


@settings(max_examples=50, deadline=None)
@given(texts=st.dictionaries(st.binary(min_size=1, max_size=32), st.text(), max_size=8))
def test_what_is_kept_comes_back(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("cache") / "c.sqlite"
    one, two = Cache(path), Cache(path)
    for key, text in texts.items():
        assert one.get(key) is None
        one.put(key, kept(text))
        one.put(key, kept("another"))  # the first one stays
        assert two.get(key) == kept(text)
    one.close(), two.close()
    assert {key: Cache(path).get(key).text for key in texts} == texts


@pytest.mark.parametrize("text", ["", "a\0b", "𝒳 \u2028 \U0010ffff", "x" * 1_000_000])
def test_texts_that_are_hard_to_keep(tmp_path, text):
    cache = Cache(tmp_path / "c.sqlite")
    cache.put(b"k", kept(text, finish_reason=None))
    assert cache.get(b"k") == kept(text, finish_reason=None)
    cache.close()


def test_halves_of_surrogate_pairs_are_not_kept(tmp_path, caplog):
    cache = Cache(tmp_path / "c.sqlite")
    cache.put(b"k", kept("a\ud800"))
    assert cache.get(b"k") is None
    assert not caplog.records
    cache.close()


def test_the_file_is_for_its_owner_alone_and_its_folder_is_made(tmp_path):
    path = tmp_path / "new" / "folder" / "c.sqlite"
    cache = Cache(path)
    cache.put(b"k", kept())
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0, file
    cache.close()


def test_the_secret_stays_and_differs_between_files(tmp_path):
    one, two = Cache(tmp_path / "1"), Cache(tmp_path / "2")
    assert one.secret() == one.secret() == Cache(tmp_path / "1").secret()
    assert len(one.secret()) == 32
    assert one.secret() != two.secret()


def test_closed_and_used_again(tmp_path):
    cache = Cache(tmp_path / "c.sqlite")
    cache.put(b"k", kept())
    cache.close()
    cache.close()
    assert cache.get(b"k") == kept()
    cache.close()


def test_used_from_many_threads(tmp_path):
    cache, problems = Cache(tmp_path / "c.sqlite"), []

    def work(name):
        try:
            for number in range(100):
                cache.put(f"{number}".encode(), kept(f"{number}"))
                assert cache.get(f"{number}".encode()) == kept(f"{number}")
                if number % 20 == name:
                    cache.close()
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    cache.close()
    assert len(rows(tmp_path / "c.sqlite")) == 100


# Several processes.

WRITER = """
import sys
from rationale_rm.engine import Generation
from rationale_rm.judge import Cache
name, path, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
sys.stdin.readline()
cache = Cache(path)
print(cache.secret().hex(), flush=True)
for number in range(count):
    for key in (f"shared {number}", f"{name} {number}"):
        cache.put(key.encode(), Generation(text=key * 50, finish_reason="stop"))
    print(number, flush=True)
"""


def writer(name, path, count=200):
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, name, str(path), str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_processes_that_open_a_new_file_at_once_share_it(tmp_path):
    for attempt in range(3):
        path = tmp_path / f"{attempt}.sqlite"
        writers = [writer(f"w{number}", path, 50) for number in range(6)]
        for process in writers:
            process.stdin.write("go\n")
            process.stdin.flush()
        outputs = [process.communicate(timeout=120) for process in writers]
        assert [err for _, err in outputs] == [""] * 6
        assert len({out.split()[0] for out, _ in outputs}) == 1  # one secret
        found = rows(path)
        assert len(found) == 50 + 6 * 50
        assert all(text == key.decode() * 50 for key, text in found.items())


def test_a_kill_at_any_point_loses_nothing_that_was_kept(tmp_path):
    path, draw, told = tmp_path / "c.sqlite", random.Random(5), {}
    for kill in range(20):
        process = writer(f"k{kill}", path, 100_000)
        process.stdin.write("go\n")
        process.stdin.flush()
        done = -1
        stop = 0 if kill < 6 else draw.randrange(1, 60)  # also while the file is opened
        if stop:
            for line in process.stdout:
                if line.strip().isdigit():
                    done = int(line)
                if done >= stop:
                    break
        else:
            time.sleep(draw.uniform(0.05, 0.4))
        process.kill()
        rest = process.communicate()[0].split()
        told[kill] = max([done, *(int(word) for word in rest if word.isdigit() and len(word) < 8)])
        # the first process after a kill: everything is there, and more can be kept
        cache = Cache(path)
        for number in range(told[kill] + 1):
            for key in (f"shared {number}", f"k{kill} {number}"):
                assert cache.get(key.encode()).text == key * 50
        cache.put(f"after {kill}".encode(), kept())
        assert cache.get(f"after {kill}".encode()) == kept()
        cache.close()
    assert sum(number > 0 for number in told.values()) >= 14
    rows(path)


def forked(cache, connection):
    cache.put(b"child", kept("child"))
    connection.send([cache.get(b"parent"), cache.get(b"child")])
    connection.close()


FORKS = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # with threads: it is what is tested


@FORKS
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_child_opens_the_file_anew(tmp_path, method):
    context = multiprocessing.get_context(method)
    cache = Cache(tmp_path / "c.sqlite")
    cache.put(b"parent", kept("parent"))
    before = cache._connection
    receive, send = context.Pipe(duplex=False)
    argument = cache if method == "fork" else str(tmp_path / "c.sqlite")
    target = forked if method == "fork" else spawned
    child = context.Process(target=target, args=(argument, send))
    child.start()
    assert receive.poll(60)
    assert receive.recv() == [kept("parent"), kept("child")]
    child.join(30)
    assert child.exitcode == 0
    assert cache.get(b"child") == kept("child")
    if method == "fork":  # SQLite's connections must not be open while a process forks
        with pytest.raises(sqlite3.ProgrammingError):
            before.execute("SELECT 1")
    receive.close(), send.close()
    cache.close()
    assert len(rows(tmp_path / "c.sqlite")) == 2


def spawned(path, connection):
    forked(Cache(path), connection)


@FORKS
def test_forks_while_threads_read_and_write(tmp_path):
    cache, stop, problems = Cache(tmp_path / "c.sqlite"), threading.Event(), []

    def work():
        number = 0
        while not stop.is_set():
            number += 1
            try:
                cache.put(f"{number}".encode(), kept(f"{number}"))
                if cache.get(f"{number}".encode()) != kept(f"{number}"):
                    problems.append(number)
            except BaseException as error:
                problems.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(20):
        child = os.fork()
        if child == 0:
            os._exit(
                0 if cache.get(b"1") in (None, kept("1")) and cache.put(f"c{number}".encode(), kept()) is None else 1
            )
        assert os.waitpid(child, 0)[1] == 0
    stop.set()
    for thread in threads:
        thread.join()
    assert problems == []
    assert all(cache.get(f"c{number}".encode()) == kept() for number in range(20))
    cache.close()
    rows(tmp_path / "c.sqlite")


def test_two_runs_at_once_ask_each_question_once_or_at_most_once_each(tmp_path):
    """Once the answer is in the cache, nobody asks again; only truly simultaneous asking may double a call."""
    code = """
import asyncio, sys
from judging import request
from rationale_rm.judge import Cache, Caller, Limits, MetaJudge, OpenAIClient
url, path, first = sys.argv[1], sys.argv[2], int(sys.argv[3])
sys.stdin.readline()
judge = MetaJudge(Caller(OpenAIClient("m", [url]), cache=Cache(path), limits=Limits(concurrency=4)))
order = [request((first + number) % 60) for number in range(60)]
results = asyncio.run(judge.match(order))
assert all(result.answered for result in results)
print(judge.caller.usage.calls, judge.caller.usage.cache_hits)
"""
    with ScriptedServer(latency=0.01) as server:
        processes = [
            subprocess.Popen(
                [sys.executable, "-c", code, server.url, str(tmp_path / "c.sqlite"), str(first)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                cwd=TESTS,
                env=environment(),
            )
            for first in (0, 30)
        ]
        outputs = [process.communicate("go\n", timeout=120) for process in processes]
        assert [err for _, err in outputs] == ["", ""]
        counts = [tuple(map(int, out.split())) for out, _ in outputs]
        stats = server.stats()
        assert len(stats["asked"]) == 60
        assert max(stats["asked"].values()) <= 2
        assert sum(calls for calls, _ in counts) == stats["requests"]
        assert all(calls + hits == 60 for calls, hits in counts)
        # and one after the other nothing is asked
        server.reset()
        again = subprocess.run(
            processes[0].args, input="go\n", capture_output=True, text=True, cwd=TESTS, env=environment(), timeout=120
        )
        assert again.stdout.split() == ["0", "60"]
        assert server.stats()["requests"] == 0


# The key.


def metajudge_question(
    sample=0, temperature=0.0, seed=0, max_tokens=64, constrain=True, chars=100, client=None, **changes
):
    judge = MetaJudge(
        Caller(client or LocalClient()),
        samples=1,
        temperature=temperature,
        seed=seed,
        max_tokens=max_tokens,
        constrain=constrain,
        reasoning_chars=chars,
    )
    return judge.question(request(**changes), sample)


def test_the_same_question_has_the_same_key():
    assert question_key("m", metajudge_question()) == question_key(
        "m", metajudge_question(id="x", pair_id="y", model="z")
    )


KEYED = [
    {"references": ("a", "b")},
    {"references": ("a",)},
    {"references": ("b", "a")},
    {"reasons": ("a", "b")},
    {"reasons": ("a",)},
    {"reasons": ("a", "b ")},
    {"references": ("a", "b"), "reasons": ("c",)},
    {"references": ("a",), "reasons": ("b", "c")},
    {"references": ("a",), "reasons": ("b\nc",)},
    {"swapped": True},
    {"sample": 1},
    {"temperature": 0.5},
    {"seed": 1},
    {"max_tokens": 65},
    {"constrain": False},
    {"chars": 101},
]


def test_each_setting_is_in_the_key(monkeypatch):
    keys = {question_key("m", metajudge_question(**changes)) for changes in [{}, *KEYED]}
    assert len(keys) == 1 + len(KEYED)
    assert question_key("n", metajudge_question()) not in keys
    monkeypatch.setattr(prompts, "template_id", lambda name: f"{name}/2:00000000")
    assert question_key("m", metajudge_question()) not in keys


texts = st.text(max_size=6)
lists = st.lists(texts, min_size=1, max_size=3).map(tuple)


@settings(max_examples=200, deadline=None)
@given(one=st.tuples(lists, lists, st.booleans()), two=st.tuples(lists, lists, st.booleans()))
def test_two_requests_share_a_key_when_they_are_equal_and_never_else(one, two):
    keys = [
        question_key("m", metajudge_question(references=references, reasons=reasons, swapped=swapped))
        for references, reasons, swapped in (one, two)
    ]
    assert (keys[0] == keys[1]) == (one == two)


@settings(max_examples=100, deadline=None)
@given(
    one=st.builds(
        Sampling,
        max_tokens=st.integers(1, 3),
        temperature=st.sampled_from([0.0, 0.5, 1.0]),
        top_p=st.sampled_from([0.9, 1.0]),
        seed=st.sampled_from([None, 0, 1]),
        regex=st.sampled_from([None, "", "a"]),
    ),
    two=st.builds(
        Sampling,
        max_tokens=st.integers(1, 3),
        temperature=st.sampled_from([0.0, 0.5, 1.0]),
        top_p=st.sampled_from([0.9, 1.0]),
        seed=st.sampled_from([None, 0, 1]),
        regex=st.sampled_from([None, "", "a"]),
    ),
)
def test_all_of_the_sampling_is_in_the_key(one, two):
    keys = [question_key("m", replace(question(), sampling=sampling)) for sampling in (one, two)]
    assert (keys[0] == keys[1]) == (one == two)


@pytest.mark.parametrize("changes", KEYED, ids=lambda changes: json.dumps(changes)[:40])
def test_a_change_is_asked_again_and_the_same_is_not(tmp_path, changes):
    good = "<RESULT_START>\n- R1@S0: 0\n- R2@S0: 0\n<RESULT_END>"
    client = LocalClient(lambda *_: good)

    def asked(**settings):
        caller = Caller(client, cache=Cache(tmp_path / "c.sqlite"))
        before = len(client.calls)
        wants = replace(metajudge_question(**settings), check=lambda text: None)
        (answer,) = asyncio.run(ask(caller, [wants])).values()
        assert answer.text == good
        asyncio.run(caller.close())
        return len(client.calls) - before

    assert [asked(), asked(), asked(**changes), asked(**changes), asked()] == [1, 0, 1, 0, 0]


def test_failures_are_not_kept_and_answers_that_no_longer_read_are_asked_again(tmp_path):
    path = tmp_path / "c.sqlite"
    client = LocalClient(lambda messages, sampling, number: ["bad", "good", "better"][number])
    wants = question(check=lambda text: None if text == "good" else "no")
    limits = Limits(attempts=1)
    (first,) = asyncio.run(ask(Caller(client, cache=Cache(path), limits=limits), [wants])).values()
    (second,) = asyncio.run(ask(Caller(client, cache=Cache(path), limits=limits), [wants])).values()
    assert (first.error, second.error) == ("malformed: no (attempt 1 of 1)", None)
    stricter = question(check=lambda text: None if text == "better" else "no")
    (third,) = asyncio.run(ask(Caller(client, cache=Cache(path), limits=limits), [stricter])).values()
    assert (third.text, len(client.calls)) == ("better", 3)


# Files that are no use.


def unusable(path):
    with pytest.raises(CacheError) as caught:
        Cache(path).secret()
    assert str(path) in str(caught.value)
    assert "choose another file" in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("content", [b'{"id": 1}\n' * 500, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_file_that_is_no_database_is_left_as_it_is(tmp_path, content):
    path = tmp_path / "pairs.jsonl"
    path.write_bytes(content)
    unusable(path)
    assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["pairs.jsonl"]


def test_the_database_of_another_program_is_left_as_it_is(tmp_path):
    path = tmp_path / "app.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE users (name)")
    connection.close()
    before = path.read_bytes()
    assert "no cache of rationale-rm" in unusable(path)
    assert path.read_bytes() == before


def test_a_later_layout_is_refused_and_left_as_it_is(tmp_path):
    path = tmp_path / "c.sqlite"
    Cache(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE meta SET value = 2 WHERE name = 'schema'")
        connection.execute("DROP TABLE answers")
        connection.execute("CREATE TABLE answers (key, text, more)")
    connection.close()
    before = path.read_bytes()
    assert "layout 2" in unusable(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("place", ["folder", "below a file", "no name"])
def test_places_where_no_file_can_be(tmp_path, place):
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    unusable(tmp_path / {"folder": "folder", "below a file": "file/c.sqlite", "no name": "x" * 300}[place])


def test_a_file_that_must_not_be_written():
    code = """
import os, sys
from rationale_rm.judge import Cache, CacheError
if os.getuid() == 0:
    os.setuid(65534)  # root may write everywhere
try:
    Cache(sys.argv[1]).secret()
except CacheError as error:
    print(error)
"""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "c.sqlite"
        Cache(path).close()
        path.chmod(0o444)
        os.chmod(folder, 0o555)
        done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, timeout=60)
        os.chmod(folder, 0o755)
    assert done.stderr == ""
    assert "readonly" in done.stdout


def test_a_locked_file_says_so_and_is_not_to_be_deleted(tmp_path, monkeypatch):
    monkeypatch.setattr(cache_module, "_BUSY_SECONDS", 0.2)
    path = tmp_path / "c.sqlite"
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    said = unusable(path)
    assert "locked" in said
    assert "delete" not in said
    holder.execute("ROLLBACK")
    holder.close()


# Faults that come later.


def answers_with(cache, count=20):
    client = LocalClient()
    caller = Caller(client, cache=cache, limits=Limits(concurrency=4))
    answers = asyncio.run(ask(caller, [question(str(n)) for n in range(count)]))
    assert {answer.text for answer in answers.values()} == {"fine"}
    assert len(answers) == count
    return client


def test_a_lock_that_lasts_costs_the_copies_alone(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(cache_module, "_BUSY_SECONDS", 0.5)
    cache = Cache(tmp_path / "c.sqlite")
    cache.secret()
    holder = sqlite3.connect(tmp_path / "c.sqlite", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    waited = []
    execute = cache._run

    def timed(*arguments):
        began = time.monotonic()
        try:
            return execute(*arguments)
        finally:
            waited.append(time.monotonic() - began > 0.4)

    monkeypatch.setattr(cache, "_run", timed)
    answers_with(cache)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "locked" in caplog.text
    assert sum(waited) <= 1  # the first answer's; the others do not wait
    holder.execute("ROLLBACK")
    holder.close()
    cache.put(b"k", kept())
    assert cache.get(b"k") == kept()
    cache.close()


def test_a_full_disk_costs_the_copies_alone(tmp_path, caplog):
    cache = Cache(tmp_path / "c.sqlite")
    (pages,) = cache._opened().execute("PRAGMA page_count").fetchone()
    cache.secret()
    cache._opened().execute(f"PRAGMA max_page_count = {pages + 1}")  # SQLite says "full", as for a disk
    for number in range(50):
        cache.put(f"x{number}".encode(), kept("x" * 10_000))
    answers_with(cache)
    assert len(caplog.records) == 1
    assert "full" in caplog.text
    cache.close()


def test_damage_that_comes_later_costs_the_copies_alone(tmp_path, caplog):
    path = tmp_path / "c.sqlite"
    cache = Cache(path)
    for number in range(200):
        cache.put(f"x{number}".encode(), kept("x" * 1000))
    cache.secret()
    cache.close()
    with open(path, "r+b") as stream:  # all but the first pages, where the tables are named
        stream.seek(4 * 4096)
        stream.write(b"\xff" * (os.path.getsize(path) - 4 * 4096))
    answers_with(cache)
    assert len(caplog.records) == 1
    assert "malformed" in caplog.text
    cache.close()


def test_a_file_that_goes_away_costs_the_copies_alone(tmp_path, caplog):
    cache = Cache(tmp_path / "sub" / "c.sqlite")
    cache.secret()
    for file in (tmp_path / "sub").iterdir():
        file.unlink()
    answers_with(cache)
    cache.close()


def test_a_kill_of_the_group_that_shares_the_cache(tmp_path):
    """SIGKILL to several writers at once, again and again."""
    path = tmp_path / "c.sqlite"
    for turn in range(5):
        writers = [writer(f"g{turn}{number}", path, 100_000) for number in range(3)]
        for process in writers:
            process.stdin.write("go\n")
            process.stdin.flush()
        for process in writers:
            for line in process.stdout:
                if line.strip() == "5":
                    break
        for process in writers:
            os.kill(process.pid, signal.SIGKILL)
        for process in writers:
            process.communicate()
        cache = Cache(path)
        for number in range(3):
            assert cache.get(f"g{turn}{number} 5".encode()).text == f"g{turn}{number} 5" * 50
        cache.close()
    rows(path)


def test_the_default_place(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_module.default_path() == tmp_path / "rationale-rm" / "answers.sqlite"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_module.default_path() == tmp_path / "home" / ".cache" / "rationale-rm" / "answers.sqlite"
