"""metrics.jsonl and what is shown on the terminal."""

import io
import json
import math
import os
import pty
import select

import pytest
from rationale_rm.train.progress import Progress, clock
from rationale_rm.train.tracking import Metrics, flat, read_metrics


def write(folder, records, n_kept=0):
    metrics = Metrics(folder, n_kept)
    for record in records:
        metrics.write(record)
    metrics.sync()
    metrics.close()
    return metrics.n_records


def test_records_come_back_and_numbers_that_json_lacks_are_null(tmp_path):
    record = {"phase": "grpo", "step": 1, "rc": math.nan, "inner": {"x": math.inf, "y": [1.5, -math.inf]}}
    write(tmp_path, [record, {"phase": "evaluation", "step": 1}])
    assert read_metrics(tmp_path) == [
        {"phase": "grpo", "step": 1, "rc": None, "inner": {"x": None, "y": [1.5, None]}},
        {"phase": "evaluation", "step": 1},
    ]
    assert [record["phase"] for record in read_metrics(tmp_path, "grpo")] == ["grpo"]


@pytest.mark.parametrize("tail", [b"", b'{"phase": "grpo", "st', b'{"phase": "grpo", "step": 4}\n{"'])
@pytest.mark.parametrize("n_kept", [0, 1, 3])
def test_what_lies_beyond_the_checkpoint_is_cut_off(tmp_path, tail, n_kept):
    write(tmp_path, [{"phase": "grpo", "step": step} for step in (1, 2, 3)])
    with open(tmp_path / "metrics.jsonl", "ab") as file:
        file.write(tail)
    assert write(tmp_path, [{"phase": "grpo", "step": n_kept + 1}], n_kept) == n_kept + 1
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == list(range(1, n_kept + 2))


def test_fewer_lines_than_the_checkpoint_knows_are_all_kept(tmp_path):
    """As after a power cut on a disk that lies: the figures are lost, the run is not."""
    write(tmp_path, [{"phase": "grpo", "step": 1}])
    with open(tmp_path / "metrics.jsonl", "ab") as file:
        file.write(b'{"phase"')
    assert write(tmp_path, [{"phase": "grpo", "step": 6}], 5) == 2
    assert [record["step"] for record in read_metrics(tmp_path)] == [1, 6]


def test_an_unfinished_line_is_not_read(tmp_path):
    write(tmp_path, [{"phase": "grpo", "step": 1}])
    with open(tmp_path / "metrics.jsonl", "ab") as file:
        file.write(b'{"phase": "grpo"')
    assert [record["step"] for record in read_metrics(tmp_path)] == [1]


def test_trackers_get_numbers_alone():
    record = {"loss": 1, "name": "x", "flag": True, "none": None, "nan": math.nan, "seconds": {"model": 0.5}}
    assert flat(record, "grpo/") == {"grpo/loss": 1, "grpo/seconds/model": 0.5}


def test_plain_lines_are_few(monkeypatch):
    now = iter(range(0, 10**6, 3))
    monkeypatch.setattr("rationale_rm.train.progress.time.monotonic", lambda: float(next(now)))
    stream = io.StringIO()
    progress = Progress(True, stream)
    progress.begin("GRPO", 0, 10)
    for step in range(1, 11):
        progress.step(step, "reward 0.50")
    progress.note("saved")
    progress.close()
    progress.note("not shown")
    assert stream.getvalue().splitlines() == [
        "GRPO 1 of 10: reward 0.50, 27 s left",
        "GRPO 5 of 10: reward 0.50, 15 s left",
        "GRPO 9 of 10: reward 0.50, 3 s left",
        "GRPO 10 of 10: reward 0.50, 0 s left",
        "saved",
    ]


def test_what_a_stream_cannot_spell_is_escaped():
    raw = io.BytesIO()
    progress = Progress(True, io.TextIOWrapper(raw, encoding="ascii", write_through=True))
    progress.note("judge 裁判 \ud800")
    assert raw.getvalue() == b"judge \\u88c1\\u5224 \\ud800\n"


def test_nothing_is_shown_where_it_is_not_wanted():
    stream = io.StringIO()
    progress = Progress(False, stream)
    progress.begin("GRPO", 0, 2)
    progress.step(2, "x")
    progress.note("y")
    assert stream.getvalue() == ""


def drained(terminal):
    """All that was written to a terminal, which hands it out in parts."""
    parts = []
    while select.select([terminal], [], [], 0.2)[0]:
        parts.append(os.read(terminal, 1 << 16))
    return b"".join(parts).decode()


def test_a_terminal_has_a_bar_and_lines_that_stay():
    ours, theirs = pty.openpty()
    with open(theirs, "w") as stream:
        progress = Progress(True, stream)
        progress.begin("warm start", 0, 5)
        progress.step(2, "loss 1.00")
        progress.note("[judge] is away")
        progress.begin("GRPO", 0, 3)
        progress.step(3, "reward 0.10")
        progress.close()
        stream.flush()
        shown = drained(ours)
    os.close(ours)
    assert "[judge] is away" in shown
    assert "reward 0.10" in shown
    assert "3/3" in shown


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (59.4, "59 s"), (59.6, "1:00"), (200, "3:20"), (3725, "1:02:05")]
)
def test_clock(seconds, text):
    assert clock(seconds) == text
