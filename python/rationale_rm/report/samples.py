"""The samples of every run, as the browser lists them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rationale_rm.documents import SAMPLES_FILE, SampleView
from rationale_rm.report.files import built, lines
from rationale_rm.report.inputs import EvalRun, SampleSet
from rationale_rm.report.training import TrainingRun, read_samples


def sample_sets(
    evals: Sequence[EvalRun], trainings: Sequence[TrainingRun], progress: Callable[[str], None]
) -> tuple[list[SampleSet], list[str]]:
    """The samples of every run that has some, under the model's name, with the evaluation where two sets share it.

    Then, in words, which evaluations lack samples of answers that they count.
    """
    found: list[tuple[str, str, list[SampleView]]] = []
    missing = []
    for run in evals:
        file = run.path / SAMPLES_FILE
        progress(f"reading {file}")
        samples = _unique(_samples(file)) if file.is_file() else []
        found.append((run.name, run.result.eval, samples))
        n = sum(run.result.statuses.values())
        if len(samples) < n:
            missing.append(f"{file} holds {len(samples):,} samples of {n:,} answers that {run.name} counts")
    for training in trainings:
        progress(f"reading the samples of {training.path}")
        found.append((training.name, "training", list(read_samples(training.path))))
    found = [one for one in found if one[2]]
    counts = Counter(name for name, _, _ in found)
    sets = [SampleSet(name if counts[name] == 1 else f"{name}, {of}", samples) for name, of, samples in found]
    return sets, missing


def _unique(samples: Iterator[SampleView]) -> list[SampleView]:
    """The last line of each id, as in every output that a run resumes."""
    return list({sample.id: sample for sample in samples}.values())


def _samples(file: Path) -> Iterator[SampleView]:
    for number, record in lines(file):
        yield built(f"{file}, line {number}", SampleView.from_dict, record)
