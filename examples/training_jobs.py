"""Training runs as processes, and what they leave: for the demo and the experiment."""

import argparse
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from rationale_rm.train.tracking import METRICS, read_metrics

_POLL = 5.0
_LINE_EVERY = 60.0


@dataclass(frozen=True)
class Job:
    """One `rationale-rm train`: a recipe with overrides, in a folder of its own."""

    recipe: str
    folder: Path
    overrides: Mapping[str, Any] = field(default_factory=dict)
    threads: int = 1
    after: Path | None = None
    """What must be there before it begins."""

    @property
    def name(self) -> str:
        """What it is called: its folder's name."""
        return self.folder.name

    def evaluations(self, split: str = "test") -> list[dict[str, Any]]:
        """Its evaluations so far, in order of steps."""
        return [one for one in self.records() if one["phase"] == "evaluation" and one["split"] == split]

    def records(self) -> list[dict[str, Any]]:
        """The lines of its metrics.jsonl; one that is being written is left out."""
        return read_metrics(self.folder) if (self.folder / METRICS).exists() else []

    def finished(self) -> bool:
        """Whether its last step is done and evaluated on the test pairs."""
        return any(one["step"] > 0 for one in self.evaluations())

    def seconds(self) -> float:
        """Time on the wall from the start of its process to its end, in all sessions together."""
        path = self.folder.with_suffix(".seconds")
        return sum(map(float, path.read_text("utf-8").split())) if path.exists() else 0.0


def warm_start(recipe: str, folder: Path, overrides: Mapping[str, Any] | None = None, threads: int = 1) -> Job:
    """A run that makes the start of others and little else: a recipe has at least one GRPO step."""
    little = {
        "train.steps": 1,
        "optimiser.warmup_steps": 0,
        "evaluation.every": None,
        "evaluation.pairs": 1,
        "evaluation.test_pairs": 1,
    }
    return Job(recipe, folder, {**(overrides or {}), **little}, threads)


def goes_on(start: Job, folder: Path, overrides: Mapping[str, Any] | None = None) -> Job:
    """A run from the weights that `start` has after its warm start."""
    weights = start.folder / "start"
    begun = {"warm_start": None, "model.scratch": None, "model.path": str(weights)}
    return Job(start.recipe, folder, {**begun, **(overrides or {})}, after=weights)


def run_all(jobs: Sequence[Job], at_once: int) -> None:
    """Runs the jobs that are not finished, `at_once` side by side, and says once in a while how far they are.

    One that was interrupted goes on from its last checkpoint. Raises `SystemExit` with the end of its log when one
    fails.
    """
    try:
        for folder in {job.folder.parent for job in jobs}:
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SystemExit(f"error: {error}") from None
    waiting = [job for job in jobs if not job.finished()]
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with ThreadPoolExecutor(at_once) as pool:
        try:
            for done in as_completed([pool.submit(_run, job, stopping) for job in waiting]):
                if failed := done.result():
                    raise SystemExit(failed)
        finally:
            stopping.set()  # the others save, and can be gone on with


def _run(job: Job, stopping: threading.Event) -> str | None:
    log = job.folder.with_suffix(".log")
    command = [sys.executable, "-m", "rationale_rm", "train", job.recipe, "--output", str(job.folder), "--resume"]
    for key, value in job.overrides.items():
        shown = yaml.safe_dump(value, default_flow_style=True).removesuffix("\n...\n").strip()
        command += ["--set", f"{key}={shown}"]
    while job.after is not None and not job.after.exists() and not stopping.wait(_POLL):
        pass
    if stopping.is_set():
        return None
    began = time.monotonic()
    with log.open("w", encoding="utf-8") as stream:
        process = subprocess.Popen(
            command, stdout=stream, stderr=subprocess.STDOUT, env={**os.environ, "OMP_NUM_THREADS": str(job.threads)}
        )
        try:
            while process.poll() is None and not stopping.wait(_POLL):
                seconds = time.monotonic() - began
                _say(f"{job.name}, {seconds:.0f} s: {_last_line(log)}", seconds)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait()
            with job.folder.with_suffix(".seconds").open("a", encoding="utf-8") as stream:
                stream.write(f"{time.monotonic() - began:.1f}\n")
    if process.returncode == 0 and (job.finished() or stopping.is_set()):
        return None
    return f"{job.name} failed ({process.returncode}), see {log}:\n{_last_line(log)}"


def _last_line(log: Path) -> str:
    lines = log.read_text("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "starting"


def _say(text: str, seconds: float) -> None:
    """Over the last line on a terminal, and once a minute elsewhere."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text[:110]}", end="", file=sys.stderr, flush=True)
    elif seconds % _LINE_EVERY < _POLL:
        print(text, file=sys.stderr, flush=True)


def positive(text: str) -> int:
    """A number of jobs, pairs or the like from the command line."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return number


def value(figure: Any) -> float:
    """The number of an evaluation's figure; NaN where there is none."""
    number = figure["value"] if isinstance(figure, dict) else figure
    return float("nan") if number is None else float(number)
