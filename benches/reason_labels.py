"""How well the rule-based labeller agrees with the labelled reasons of ``tests/reasons``, and how fast it is.

    python -m benches.reason_labels [--half dev|held_out]

writes docs/experiments/reason_labels.json, where each half has its own part. The rules were made on ``dev``; the figure
that says what to expect of them is that of ``held_out``. With ``--pairs OUT`` it writes the reasons in the form that
``rationale-rm analyze taxonomy`` reads, with ``--labels LABELS`` it measures what that wrote, by whatever labeller, and
with ``--table`` it prints the rows of docs/taxonomy.md from the JSON.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from rationale_rm.analysis import Sampling, manifest, read_labels
from rationale_rm.analysis.resample import numbered
from rationale_rm.analysis.taxonomy import Labels, label, rules
from rationale_rm.analysis.taxonomy.agreement import agreement
from rationale_rm.documents import Analysis

FOLDER = Path(__file__).parent.parent / "tests" / "reasons"
OUT = Path(__file__).parent.parent / "docs" / "experiments" / "reason_labels.json"
VERDICTS = {"A>>B": 2, "A>B": 1, "B>A": -1, "B>>A": -2}
REPEATS = 5


def load(half: str) -> list[dict[str, Any]]:
    """The labelled answers of a half."""
    return [json.loads(line) for line in (FOLDER / f"{half}.jsonl").read_text("utf-8").splitlines()]


def truth(answers: list[dict[str, Any]]) -> list[Labels]:
    """The labels that people read by (tests/reasons/README.md), reason by reason."""
    return [Labels(one["class"], tuple(one["flaws"])) for answer in answers for one in answer["reasons"]]


def by_rules(answers: list[dict[str, Any]]) -> list[Labels]:
    """What the rules say."""
    found: list[Labels] = []
    for answer in answers:
        texts = [one["text"] for one in answer["reasons"]]
        responses = (answer["response1"], answer["response2"])
        found += label(answer["context"], *responses, VERDICTS[answer["verdict"]], texts)
    return found


def from_file(answers: list[dict[str, Any]], path: str) -> list[Labels]:
    """What a file of labels says; it has to hold every reason."""
    held = {one.id: one for one in read_labels([path])}
    found = []
    for answer in answers:
        one = held[answer["id"]]
        for group, flaws in zip(one.classes, one.flaws, strict=True):
            if group is None or flaws is None:
                raise SystemExit(f"{path}: {answer['id']} has a reason without labels")
            found.append(Labels(group, flaws))
    return found


def pair(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer as a line of pairs."""
    held = {name: answer[name] for name in ("id", "domain", "context", "response1", "response2")}
    return held | {
        "human-checklist": [],
        "m-checklist": [one["text"] for one in answer["reasons"]],
        "m-label": answer["verdict"],
    }


def table(held: dict[str, Any]) -> list[str]:
    """The kappas of both halves as rows of a Markdown table, from what the JSON holds."""
    found = {(half, one["slice"]): one for half in held for one in held[half]["estimates"] if one["metric"] == "kappa"}
    rows = ["| | development | held out |", "|---|---|---|"]
    for name in dict.fromkeys(name for _, name in found):
        cells = []
        for half in ("dev", "held_out"):
            one = found.get((half, name))
            cells.append("" if one is None else f"{one['value']:.2f} [{one['low']:.2f}, {one['high']:.2f}]")
        rows.append(f"| {'EG, CG, GS together' if name == 'class' else name} | {' | '.join(cells)} |")
    return rows


def measure(half: str, labels: str | None) -> Analysis:
    """The agreement with one half, as an analysis; the manifest has the speed."""
    answers = load(half)
    known = truth(answers)
    how = Sampling(n_resamples=2000, seed=0)
    seconds = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        given = by_rules(answers)
        seconds.append(time.perf_counter() - began)
    name = rules.NAME
    if labels is not None:
        given, name = from_file(answers, labels), Path(labels).stem
    clusters = numbered(answer["id"] for answer in answers for _ in answer["reasons"])
    speed = {} if labels is not None else {"reasons_per_second": round(len(known) / float(np.median(seconds)))}
    return Analysis(
        analysis="agreement",
        subject=(name, f"tests/reasons/{half}"),
        manifest=manifest([str(FOLDER / f"{half}.jsonl")], how, rules=rules.VERSION, n_reasons=len(known), **speed),
        estimates=tuple(agreement(given, known, clusters, how, rule=name)),
        notes=("Intervals draw answers. slice: the label.",),
    )


def main() -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--half", choices=("dev", "held_out"), default="dev")
    parser.add_argument(
        "--labels", metavar="LABELS", help="labels of `analyze taxonomy` to measure; nothing is written"
    )
    parser.add_argument("--pairs", metavar="OUT", help="only write the reasons as pairs")
    parser.add_argument("--table", action="store_true", help="only print the table of docs/taxonomy.md")
    chosen = parser.parse_args()
    if chosen.table:
        print("\n".join(table(json.loads(OUT.read_text("utf-8")))))
        return
    if chosen.pairs:
        lines = [json.dumps(pair(answer)) + "\n" for answer in load(chosen.half)]
        Path(chosen.pairs).write_text("".join(lines), "utf-8")
        return
    found = measure(chosen.half, chosen.labels)
    by_label: dict[str, dict[str, Any]] = {}
    for one in found.estimates:
        by_label.setdefault(one.slice, {})[one.metric] = one
    for name, metrics in by_label.items():
        held = metrics["kappa"]
        low, high = (float("nan") if end is None else end for end in (held.low, held.high))
        value = float("nan") if held.value is None else held.value
        rest = "  ".join(
            f"{metric} {'n/a' if one.value is None else f'{one.value:.2f}'} (of {one.n})"
            for metric, one in metrics.items()
            if metric != "kappa"
        )
        print(f"{name:6} kappa {value:5.2f} [{low:.2f}, {high:.2f}]  {rest}")
    if "reasons_per_second" in found.manifest:
        print(f"{found.manifest['reasons_per_second']:,} reasons a second, one thread, texts prepared once an answer")
    if chosen.labels is None:
        held = json.loads(OUT.read_text("utf-8")) if OUT.exists() else {}
        OUT.write_text(json.dumps({**held, chosen.half: found.to_dict()}, indent=1, sort_keys=True) + "\n", "utf-8")


if __name__ == "__main__":
    main()
