"""The append-only output: what a kill, a full disk, another process and other settings do to it."""

import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rationale_rm import RationaleError
from rationale_rm.data import Journal, JournalError, journal

SETTINGS = {"command": "match", "judge": "openai:m@http://127.0.0.1/v1", "sampling": {"temperature": 0.7, "seed": 1}}
GOOD = {"status": "success"}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "out.jsonl"


def opened(path, *, resume=True, made_by=SETTINGS, **options):
    return Journal(path, resume=resume, made_by=made_by, **options)


def written(path, *records, **options):
    with opened(path, **options) as out:
        for record in records:
            out.append(record)
    return path


def numbered(count, **more):
    return [{"id": f"p{number}", "status": "success", **more} for number in range(count)]


def read(path):
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def refused(path, match, **options):
    """Opening fails for this reason and leaves the file as it was."""
    before = path.read_bytes(), path.stat().st_mtime_ns
    with pytest.raises(JournalError, match=match) as caught:
        opened(path, **options)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    return str(caught.value)


# What is written.


def test_records_are_lines_of_json_with_their_settings(path):
    written(path, {"id": "a", "n": [1, None, "é"], **GOOD}, {"id": "b", "made_by": "somebody else", **GOOD})
    raw = path.read_bytes()
    assert raw.isascii()
    assert raw.endswith(b"\n")
    assert read(path) == [
        {"id": "a", "made_by": SETTINGS, "n": [1, None, "é"], **GOOD},
        {"id": "b", "made_by": SETTINGS, **GOOD},
    ]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(st.text(), json_values, max_size=3), max_size=5))
def test_every_json_comes_back_as_it_was(fields):
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out.jsonl")
        records = [{**held, "id": f"é\n{number}"} for number, held in enumerate(fields)]
        written(out, *records)
        assert read(out) == [{**record, "made_by": SETTINGS} for record in records]
        with opened(out) as again:
            assert again.done | again.failed == {record["id"] for record in records}
            assert again.repaired is None


def test_lone_surrogates_survive(path):
    written(path, {"id": "a", "text": "x\ud800y\udc00", **GOOD})
    assert read(path)[0]["text"] == "x\ud800y\udc00"
    assert opened(path).done == {"a"}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"deep": [float("-inf")]}, b"bytes", {1, 2}])
def test_what_is_no_json_is_refused_and_nothing_of_it_written(path, value):
    with opened(path) as out:
        out.append({"id": "a", **GOOD})
        with pytest.raises(JournalError, match="the record 'b' is no JSON"):
            out.append({"id": "b", "score": value})
        out.append({"id": "c", **GOOD})
    assert [record["id"] for record in read(path)] == ["a", "c"]


@pytest.mark.parametrize("record", [{}, {"id": None}, {"id": 3}, {"id": ""}])
def test_a_record_needs_an_id(path, record):
    with opened(path) as out, pytest.raises(JournalError, match="needs text under id"):
        out.append(record)
    assert path.read_bytes() == b""


def test_threads_may_append_at_once(path):
    with opened(path) as out:

        def work(name):
            for number in range(200):
                out.append({"id": f"{name}{number}", "text": name * 5000, **GOOD})

        threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    records = read(path)
    assert len(records) == len({record["id"] for record in records}) == 800
    assert all(record["text"] == record["id"][0] * 5000 for record in records)


def test_a_record_is_there_as_soon_as_append_returns(path):
    with opened(path) as out:
        for number, record in enumerate(numbered(3), 1):
            out.append(record)
            assert len(read(path)) == number


def test_the_disk_is_synced_now_and_then_and_at_the_end(path, monkeypatch):
    calls = []
    monkeypatch.setattr(journal, "SYNC_SECONDS", 0.05)
    monkeypatch.setattr(os, "fsync", lambda file, real=os.fsync: (calls.append(file), real(file)))
    with opened(path) as out:
        calls.clear()
        out.append({"id": "a"})
        time.sleep(0.06)
        out.append({"id": "b"})
        assert len(calls) == 1
        out.append({"id": "c"})
    assert len(calls) == 2


# Going on.


def test_the_last_record_of_an_id_says_whether_it_is_done(path):
    states = [("a", "error"), ("b", "success"), ("a", "success"), ("c", "success"), ("c", "format_error")]
    out = opened(path)
    for name, status in states:
        out.append({"id": name, "status": status})
    assert (out.done, out.failed, out.n_records) == ({"a", "b"}, {"c"}, 5)
    out.close()
    with opened(path) as again:
        assert (again.done, again.failed, again.n_records) == ({"a", "b"}, {"c"}, 5)
        assert again.repaired is None


def test_what_counts_as_done_is_the_callers_to_say(path):
    written(path, {"id": "a", "error": "timed out"}, {"id": "b"})
    with opened(path, is_done=lambda record: "error" not in record) as out:
        assert (out.done, out.failed) == ({"b"}, {"a"})


def test_without_resume_a_file_that_holds_something_is_refused(path):
    with opened(path, resume=False) as out:
        out.append({"id": "a"})
    assert "choose another output file" in refused(path, "is not empty", resume=False)
    path.write_bytes(b"")
    opened(path, resume=False).close()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (
            {"judge": "openai:other@http://127.0.0.1/v1"},
            r"\(judge: \"openai:m@http\S*\" there, \"openai:other@http\S*\" now; line 1\)",
        ),
        ({"sampling": {"temperature": 0.7, "seed": 2}}, r"sampling\.seed: 1 there, 2 now"),
        ({"samples": 4}, "samples: nothing there, 4 now"),
        ({"sampling": {"temperature": 0.7}}, r"sampling\.seed: 1 there, nothing now"),
    ],
)
def test_other_settings_are_refused_by_name(path, change, named):
    written(path, {"id": "a"})
    message = refused(path, named, made_by=SETTINGS | change)
    assert "line 1" in message
    assert "choose another output file" in message
    assert "command" not in message  # what is the same is not named


def test_many_other_settings_are_counted(path):
    """Another judge brings settings of its own: those that both have come first, and a message stays readable."""
    written(path, {"id": "a"}, made_by={"command": "match", "judge": "lexical:", "top_k": 5, "prompt": "x" * 5000})
    ours = {"command": "match", "judge": "openai:m", "top_k": 3, **{f"a{number}": number for number in range(6)}}
    message = refused(path, "other settings", made_by=ours)
    named = (
        'judge: "lexical:" there, "openai:m" now; top_k: 5 there, 3 now; a0: nothing there, 0 now; a1: nothing there'
    )
    assert named in message
    assert "and 5 more; line 1" in message
    assert len(message.replace(str(path), "")) < 400
    assert len(refused(path, "prompt: .*x…", made_by={"command": "match"}).replace(str(path), "")) < 400


@pytest.mark.parametrize("read_only", [False, True])
def test_the_output_of_another_command_is_called_so(path, read_only):
    written(path, {"id": "a"}, made_by={"command": "critique", "model": "m", "samples": 3})
    message = refused(path, "the output of", read_only=read_only)
    assert message == f"{path} is the output of `rationale-rm critique`: choose another output file"


def test_settings_may_come_in_any_order(path):
    written(path, {"id": "a", **GOOD})
    with opened(path, made_by=dict(reversed(SETTINGS.items()))) as out:
        assert out.done == {"a"}


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"my notes\n", 1),
        (b"my notes", 1),
        (b'{"id": "p1", "domain": "code"}\n', 1),
        (b'{"id": "p1", "domain": "co', 1),
        (b'{"id": tr', 1),
        (b'{"domain": "code"', 1),
        (b"[1, 2]\n", 1),
        (b"null", 1),
        (b"\0" * 100, 1),
        (b"\x1f\x8b\x08\0", 1),
        (b'GOOD{"id": "p2"}\n', 2),
        (b"GOODnull\n", 2),
        (b"GOOD\n\n", 2),
        (b"GOODoops\nGOOD", 2),
        (b"GOODoops\nmore", 2),
        (b'GOOD{"id": 7, "made_by": {}}\n', 2),
    ],
)
def test_a_file_that_is_no_such_output_is_never_touched(tmp_path, path, content, line):
    good = written(tmp_path / "good.jsonl", {"id": "a", **GOOD}).read_bytes()
    path.write_bytes(content.replace(b"GOOD", good))
    assert "nothing was changed" in refused(path, f"no output that can be resumed: line {line} is no record")


# What a kill leaves.


def test_cut_at_any_byte_every_complete_record_stays(path):
    records = numbered(3, text="é\ud800")
    whole = written(path, *records).read_bytes()
    ends = [at + 1 for at, byte in enumerate(whole) if byte == ord("\n")]
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        with opened(path) as out:
            # without its newline a record is complete all the same
            kept = sum(cut >= end - 1 for end in ends)
            assert out.done == {f"p{number}" for number in range(kept)}, cut
            assert (out.repaired is None) == (cut in (0, *ends)), cut
            if out.repaired is not None:
                lost = cut - max([0, *(end for end in ends if end <= cut)])
                want = f"cut off {lost} byte" if cut + 1 not in ends else f"completed the last record, 'p{kept - 1}'"
                assert out.repaired.startswith(want)
            for record in records[kept:]:
                out.append(record)
        assert path.read_bytes() == whole


def test_a_last_line_that_is_garbage_is_cut_off(path):
    whole = written(path, *numbered(2)).read_bytes()
    path.write_bytes(whole + b"\0" * 4096 + b"\n")  # as a power cut may leave it
    with opened(path) as out:
        assert out.repaired == "cut off 4097 bytes of a last record that is not complete"
        assert out.done == {"p0", "p1"}
    assert path.read_bytes() == whole


CHILD = """
import os, sys
from rationale_rm.data import Journal
path, count = sys.argv[1], int(sys.argv[2])
with Journal(path, resume=True, made_by={"seed": 1}) as out:
    os.write(1, b"ready\\n")
    for number in range(count):
        if f"p{number}" not in out.done and os.read(0, 1):  # one record for each byte of standard input
            out.append({"id": f"p{number}", "status": "success", "text": f"{number} " * (number * 7919 % 60_000)})
            os.write(1, b"p%d\\n" % number)
os.write(1, b"end\\n")
"""


def child(path, count):
    command = [sys.executable, "-c", CHILD, str(path), str(count)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    assert process.stdout.readline() == b"ready\n"
    return process


def test_killed_at_random_moments_nothing_is_lost_or_doubled(tmp_path, path):
    """Records of up to 350 KB, so that the kill may come in the middle of a write."""
    noise, count, acknowledged, kills = random.Random(7), 132, set(), 0
    while True:
        process = child(path, count)
        asked = noise.randrange(4, 7)
        process.stdin.write(b"." * asked)
        for _ in range(noise.randrange(asked)):
            acknowledged.add(process.stdout.readline().decode().strip())
        time.sleep(noise.random() * 0.003)
        process.kill()
        out, _ = process.communicate()
        kills += process.returncode == -9
        acknowledged |= set(out.decode().split())
        with Journal(path, resume=True, made_by={"seed": 1}) as held:
            assert held.done >= acknowledged - {"end", ""}
            assert held.n_records == len(held.done)
            if len(held.done) == count:
                break
    assert kills >= 20
    uninterrupted = child(tmp_path / "whole.jsonl", count)
    assert uninterrupted.communicate(b"." * count)[0].endswith(b"end\n")
    assert sorted(path.read_bytes().splitlines()) == sorted((tmp_path / "whole.jsonl").read_bytes().splitlines())


# Other processes, other files.


def test_a_second_writer_is_refused_until_the_first_is_gone(path):
    code = f"""
from rationale_rm.data import Journal, JournalError
try:
    Journal({str(path)!r}, resume=True, made_by={SETTINGS!r})
except JournalError as error:
    print(error)
"""
    with opened(path):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert "is being written by another process" in done.stdout
        with pytest.raises(JournalError, match="being written by another process"):
            opened(path)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == ""


def test_a_look_needs_no_right_to_write_and_changes_nothing(tmp_path):
    """In a process of its own, which gives up the rights of root where it has them."""
    code = f"""
import os, sys
from rationale_rm.data import Journal
os.chdir(sys.argv[1])
if os.geteuid() == 0:
    os.setuid(65534)
for path in sys.argv[2:]:
    with Journal(path, resume=True, made_by={SETTINGS!r}, read_only=True) as held:
        print(sorted(held.done), sorted(held.failed), held.repaired)
"""
    whole = written(tmp_path / "whole.jsonl", *numbered(2), {"id": "x", "status": "error"}).read_bytes()
    files = {"whole.jsonl": whole, "no-end.jsonl": whole[:-1], "torn.jsonl": whole[:-9], "begun.jsonl": whole[:12]}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).chmod(0o444)
    tmp_path.chmod(0o555)
    names = [*files, "missing.jsonl"]
    command = [sys.executable, "-c", code, str(tmp_path), *names]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "['p0', 'p1'] ['x'] None",
        "['p0', 'p1'] ['x'] None",
        "['p0', 'p1'] [] None",
        "[] [] None",
        "[] [] None",
    ]
    tmp_path.chmod(0o755)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == files


def test_a_look_beside_a_writer(path):
    with opened(path) as out:
        out.append(numbered(1)[0])
        with opened(path, read_only=True) as held, opened(path, read_only=True) as other:
            assert held.done == other.done == {"p0"}
            with pytest.raises(JournalError, match="only read here"):
                held.append({"id": "b"})
        out.append({"id": "c", **GOOD})
    assert [record["id"] for record in read(path)] == ["p0", "c"]
    with opened(path, read_only=True) as held, opened(path) as out:  # a look keeps no writer out
        out.append({"id": "d"})
    refused(path, "is not empty", read_only=True, resume=False)
    path.write_bytes(b"my notes\n")
    refused(path, "no output that can be resumed", read_only=True)
    with pytest.raises(JournalError, match=r"cannot read .*no regular file"):
        opened(path.parent, read_only=True)


def test_after_closing_nothing_is_taken(path):
    out = opened(path)
    out.close()
    out.close()
    with pytest.raises(JournalError, match="is closed"):
        out.append({"id": "a"})


def test_a_missing_folder(tmp_path):
    with pytest.raises(JournalError, match=r"there is no folder .*gone"):
        opened(tmp_path / "gone" / "out.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_a_pipe_and_a_device_are_no_output(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for target in (tmp_path, tmp_path / "pipe", "/dev/full", "/dev/null"):
        with pytest.raises(JournalError, match="it is no regular file"):
            opened(target)


def test_a_link_is_kept_and_its_file_written(tmp_path):
    real, link, dangling = tmp_path / "real.jsonl", tmp_path / "link.jsonl", tmp_path / "dangling.jsonl"
    real.touch()
    link.symlink_to(real)
    dangling.symlink_to(tmp_path / "new.jsonl")
    with opened(link) as out:
        out.append({"id": "a"})
        with pytest.raises(JournalError, match="another process"):
            opened(real)
    written(dangling, {"id": "b"})
    assert link.is_symlink()
    assert [read(file)[0]["id"] for file in (real, tmp_path / "new.jsonl")] == ["a", "b"]


def test_a_file_that_may_not_be_written(tmp_path):
    """In a process of its own, which gives up the rights of root where it has them."""
    code = """
import os, sys
from rationale_rm.data import Journal, JournalError
os.chdir(sys.argv[1])
if os.geteuid() == 0:
    os.setuid(65534)
for path in ("read-only.jsonl", "locked/new.jsonl"):
    try:
        Journal(path, resume=True, made_by={})
    except JournalError as error:
        print(error)
"""
    (tmp_path / "read-only.jsonl").touch(0o444)
    (tmp_path / "locked").mkdir(0o555)
    tmp_path.chmod(0o755)
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "cannot write read-only.jsonl: Permission denied",
        "cannot write locked/new.jsonl: Permission denied",
    ]


# No room.


def test_a_full_disk_keeps_what_was_written(path):
    out = opened(path)
    out.append({"id": "a", **GOOD})
    held = os.dup(out._file)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, out._file)
    with pytest.raises(JournalError, match=r"No space left on device; its 1 complete records are kept"):
        out.append({"id": "b", **GOOD})
    os.dup2(held, out._file)
    os.close(full)
    os.close(held)
    out.append({"id": "c", **GOOD})
    assert (out.done, out.n_records) == ({"a", "c"}, 2)
    out.close()
    assert [record["id"] for record in read(path)] == ["a", "c"]


def test_a_write_that_stops_half_way_is_taken_back(path):
    """The kernel writes what fits under a file size limit, then refuses: a real short write."""
    code = """
import resource, sys
from rationale_rm.data import Journal, JournalError
out = Journal(sys.argv[1], resume=True, made_by={})
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, resource.RLIM_INFINITY))
for name, size in (("a", 1000), ("b", 1000), ("c", 5000), ("d", 500)):
    try:
        out.append({"id": name, "text": "x" * size, "status": "success"})
    except JournalError as error:
        print(name, error)
out.close()
"""
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("c cannot write ")
    assert "File too large; its 2 complete records are kept" in done.stdout
    assert [record["id"] for record in read(path)] == ["a", "b", "d"]


def test_writes_may_come_in_pieces(path, monkeypatch):
    real = os.write
    monkeypatch.setattr(os, "write", lambda file, data: real(file, bytes(data[:7])))
    written(path, *numbered(4))
    monkeypatch.undo()
    assert [record["id"] for record in read(path)] == [f"p{number}" for number in range(4)]


def test_an_interrupt_leaves_no_half_record(path, monkeypatch):
    out = opened(path)
    out.append({"id": "a", **GOOD})
    real, calls = os.write, []

    def interrupted(file, data):
        if calls:
            raise KeyboardInterrupt
        calls.append(real(file, bytes(data[:9])))
        return calls[0]

    monkeypatch.setattr(os, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        out.append({"id": "b", **GOOD})
    monkeypatch.undo()
    out.append({"id": "c", **GOOD})
    out.close()
    assert [record["id"] for record in read(path)] == ["a", "c"]


def test_a_half_record_that_cannot_be_taken_back_ends_the_run(path, monkeypatch):
    out = opened(path)
    out.append({"id": "a", **GOOD})
    real = os.write

    def short_then_full(file, data):
        monkeypatch.setattr(os, "write", lambda *_: real(full, b"x"))
        return real(file, bytes(data[:9]))

    def no_room(*_):
        raise OSError(5, "Input/output error")

    full = os.open("/dev/full", os.O_WRONLY)
    monkeypatch.setattr(os, "write", short_then_full)
    monkeypatch.setattr(os, "ftruncate", no_room)
    with pytest.raises(JournalError, match=r"cannot repair .*Input/output error"):
        out.append({"id": "b", **GOOD})
    monkeypatch.undo()
    os.close(full)
    with pytest.raises(JournalError, match="is closed"):
        out.append({"id": "c", **GOOD})
    with opened(path) as again:
        assert (again.done, again.repaired[:13]) == ({"a"}, "cut off 9 byt")


def test_the_error_is_one_of_ours():
    assert issubclass(JournalError, RationaleError)


def test_memory_does_not_grow_with_the_texts(path):
    """100 MB of records are read again with little more than one of them in memory."""
    code = """
import resource, sys
from rationale_rm.data import Journal
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
out = Journal(sys.argv[1], resume=True, made_by={})
print(len(out.done), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    line = json.dumps({"id": "ID", "made_by": {}, "text": "x" * 1_000_000, **GOOD}) + "\n"
    with path.open("w") as stream:
        for number in range(100):
            stream.write(line.replace("ID", f"p{number}"))
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    count, grown = map(int, done.stdout.split())
    assert count == 100
    assert grown * (1 if sys.platform != "darwin" else 1 / 1024) < 20_000  # kilobytes
