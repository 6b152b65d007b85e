"""Fits the coefficients of the local judges, and measures them: the figures of docs/local-judges.md.

    python -m benches.calibrate_local lexical
    python -m benches.calibrate_local embedding --model FOLDER [--write]

Data: KPA 2021 dev (argument and key point of one topic and stance, 0/1) from RATIONALE_RM_DATA, ``../shared/data``
unless it is set, and tests/polarity/pairs.jsonl. A topic of KPA is predicted by coefficients that were fitted on the
other topics and on the tuning half of the polarity set; the held-out half is only ever predicted.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rationale_rm.judge.local import EmbeddingJudge, LexicalJudge
from rationale_rm.judge.local.conflicts import CONFLICTS
from rationale_rm.judge.local.judge import FEATURES, LISTED, LocalJudge
from rationale_rm.judge.local.model import Coefficients
from rationale_rm.types import MatchRequest
from scipy.optimize import minimize
from scipy.stats import rankdata

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("RATIONALE_RM_DATA", ROOT.parent / "shared" / "data"))
PAIRS = ROOT / "tests" / "polarity" / "pairs.jsonl"
SHIPPED = ROOT / "python" / "rationale_rm" / "judge" / "local" / "coefficients.json"
PENALTY = 3.0
"""L2 penalty on standardised weights, in rows."""
KPA_SHARE = 1.0
"""Weight of KPA beside the tuning half where conflicts are weighed: it tells how often one is a false alarm."""
UNRELATED = 4
"""Reasons of other groups that each human reason of the tuning half is held against, as plain non-matches."""

BLANK = Coefficients(0.0, {}, 0.5)
"""For a judge that is yet to be fitted."""

Floats = NDArray[np.float64]


@dataclass
class Rows:
    """Feature rows with labels; `topic` is the KPA topic, or "" for polarity rows; `plain` rows are matches, and pairs
    that have nothing to do with each other.
    """

    x: Floats
    y: Floats
    topic: NDArray[Any]
    weight: Floats
    plain: NDArray[np.bool_]


def request(
    references: Sequence[str], reasons: Sequence[str], *, swapped: bool = False, topic: str = ""
) -> MatchRequest:
    return MatchRequest(
        id="r",
        critique_id="c",
        pair_id="p",
        model=topic,
        references=tuple(references),
        reasons=tuple(reasons),
        swapped=swapped,
    )


def read(name: str) -> list[dict[str, str]]:
    with (DATA / "kpa2021" / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def kpa_requests(*, listed: bool) -> tuple[list[MatchRequest], list[list[float]]]:
    """The labelled pairs, each by itself, or an argument with all key points of its topic and stance.

    Labels are NaN where the annotators did not agree; the topic is the request's `model`.
    """
    arguments = {row["arg_id"]: row for row in read("arguments_dev.csv")}
    points = {row["key_point_id"]: row for row in read("key_points_dev.csv")}
    labels = {(row["arg_id"], row["key_point_id"]): float(row["label"]) for row in read("labels_dev.csv")}
    side: dict[tuple[str, str], list[str]] = {}
    for key, row in points.items():
        side.setdefault((row["topic"], row["stance"]), []).append(key)
    requests, truth = [], []
    for argument, row in arguments.items():
        keys = side[row["topic"], row["stance"]]
        for asked in [keys] if listed else [[key] for key in keys if (argument, key) in labels]:
            texts = [points[key]["key_point"] for key in asked]
            requests.append(request(texts, [row["argument"]], topic=row["topic"]))
            truth.append([labels.get((argument, key), math.nan) for key in asked])
    return requests, truth


def kpa(judge: LocalJudge, *, listed: bool) -> Rows:
    """The labelled cells of `kpa_requests`."""
    requests, truth = kpa_requests(listed=listed)
    x, y, topic = [], [], []
    for asked, labels, table in zip(requests, truth, judge.feature_tables(requests), strict=True):
        for label, row in zip(labels, table[:, 0], strict=True):
            if not math.isnan(label):
                x.append(row)
                y.append(label)
                topic.append(asked.model)
    return Rows(np.array(x), np.array(y), np.array(topic), np.ones(len(y)), np.ones(len(y), dtype=bool))


def polarity() -> list[dict[str, Any]]:
    return [json.loads(line) for line in PAIRS.read_text(encoding="utf-8").splitlines()]


def polarity_rows(judge: LocalJudge, records: Sequence[dict[str, Any]]) -> Rows:
    requests = [request([one["reference"]], [one["reason"]], swapped=one["swapped"]) for one in records]
    x = np.array([table[0, 0] for table in judge.feature_tables(requests)])
    plain = np.array([one["same"] or one["kind"] == "unrelated" for one in records])
    return Rows(x, np.array([float(one["same"]) for one in records]), np.full(len(x), ""), np.ones(len(x)), plain)


def unrelated(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Human reasons of the records beside reasons of other groups in the same order: never the same point."""
    made = []
    groups = sorted({one["group"] for one in records})
    by_group = {group: [one for one in records if one["group"] == group] for group in groups}
    for at, group in enumerate(groups):
        for step in range(1, UNRELATED + 1):
            other = by_group[groups[(at + 7 * step) % len(groups)]]
            if other[0]["group"] != group:
                reason = other[step % len(other)]
                reference = by_group[group][0]["reference"]
                made.append({**reason, "reference": reference, "same": False, "kind": "unrelated"})
    return made


def logistic(
    x: Floats,
    y: Floats,
    weight: Floats,
    bounds: Sequence[tuple[float | None, float | None]],
    *,
    known: Floats | float = 0.0,
) -> Floats:
    """Weights of a logistic regression within `bounds`, beside logits that are `known`; columns with both bounds open
    are not penalised.
    """
    sign = np.where(y > 0, 1.0, -1.0)
    penalty = np.array([0.0 if bound == (None, None) else PENALTY for bound in bounds])
    spread = np.where(penalty > 0, np.maximum(x.std(axis=0), 1e-9), 1.0)
    design = x / spread

    def loss(w: Floats) -> tuple[float, Floats]:
        margin = sign * (known + design @ w)
        value = (weight * np.logaddexp(0.0, -margin)).sum() + 0.5 * (penalty * w * w).sum()
        slope = -weight * sign / (1.0 + np.exp(np.clip(margin, -500, 500)))
        return value, design.T @ slope + penalty * w

    start = np.zeros(x.shape[1])
    found: Floats = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=list(bounds)).x / spread
    return found


def list_weights(alone: Rows, lists: Rows, without: str | None) -> dict[str, float]:
    """How likeness and the leads weigh against each other, and what having rivals shifts, from KPA.

    Every topic has an intercept of its own, alone and in lists, and the same total weight, so that the weights come
    from differences within topics; likeness and leads cannot speak against a match.
    """
    x = np.concatenate([alone.x, lists.x])[:, [FEATURES.index(name) for name in ("likeness", *LISTED[:2])]]
    y = np.concatenate([alone.y, lists.y])
    topic = np.concatenate([alone.topic, lists.topic])
    listed = np.repeat([0, 1], [len(alone.y), len(lists.y)])
    topics = [name for name in sorted(set(topic)) if name != without]
    cells = [(topic == name) & (listed == mode) for name in topics for mode in (0, 1)]
    keep = topic != without
    weight = np.zeros(len(y))
    for cell in cells:
        weight[cell] = 1.0 / cell.sum()
    weight *= keep.sum() / weight.sum()
    design = np.column_stack([x, *(cell.astype(np.float64) for cell in cells)])[keep]
    bounds = [(0.0, None)] * 3 + [(None, None)] * len(cells)
    w = logistic(design, y[keep], weight[keep], bounds)
    intercepts = w[3:].reshape(-1, 2)
    return {
        "likeness": float(w[0]),
        "over_mean": float(w[1]),
        "over_best": float(w[2]),
        "listed": float((intercepts[:, 1] - intercepts[:, 0]).mean()),
    }


def fit(alone: Rows, lists: Rows, tuning: Rows, without: str | None = None) -> Coefficients:
    """Three steps: list weights from KPA; their scale and the intercept from matches and unrelated reasons of the
    tuning half; then what each conflict takes away, from its contrast pairs and from the labels of KPA.

    Contrast pairs do not set the scale: they are alike on purpose, and would teach that likeness says nothing.
    """
    weights = list_weights(alone, lists, without)
    columns = [FEATURES.index(name) for name in weights]

    def like(rows: Rows) -> Floats:
        return rows.x[:, columns] @ np.array(list(weights.values()))

    plain = tuning.plain
    w = logistic(
        np.column_stack([like(tuning), np.ones(len(tuning.y))])[plain],
        tuning.y[plain],
        tuning.weight[plain],
        [(0.0, None), (None, None)],
    )
    scale, intercept = float(w[0]), float(w[1])
    keep = alone.topic != without
    topics = sorted(set(alone.topic[keep]))
    against = np.concatenate([tuning.x, alone.x[keep]])[:, len(FEATURES) - len(CONFLICTS) :]
    known = np.concatenate([scale * like(tuning) + intercept, scale * like(alone)[keep]])
    own = np.concatenate([np.zeros((len(tuning.y), len(topics))), alone.topic[keep][:, None] == np.array(topics)])
    weight = np.concatenate([tuning.weight, alone.weight[keep] * len(tuning.y) / keep.sum() * KPA_SHARE])
    w = logistic(
        np.column_stack([against, own]),
        np.concatenate([tuning.y, alone.y[keep]]),
        weight,
        [*[(None, 0.0)] * len(CONFLICTS), *[(None, None)] * len(topics)],
        known=known,
    )
    scaled = {name: scale * value for name, value in weights.items()}
    return Coefficients(intercept, {**scaled, **dict(zip(CONFLICTS, w.tolist(), strict=False))}, 0.5)


def auc(truth: Floats, score: Floats) -> float:
    """Area under the ROC curve; ties count half."""
    ranks = rankdata(score)
    positive = truth > 0
    n, m = int(positive.sum()), int((~positive).sum())
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * m))


def best_threshold(truth: Floats, chance: Floats) -> float:
    """The threshold with the most right answers; the middle one of several."""
    cuts = np.unique(np.concatenate([[0.0, 1.0], (np.sort(chance)[1:] + np.sort(chance)[:-1]) / 2]))
    right = np.array([((chance >= cut) == (truth > 0)).mean() for cut in cuts])
    best = cuts[right == right.max()]
    return float(best[len(best) // 2])


def accuracies(records: Sequence[dict[str, Any]], chance: Floats, floor: float) -> dict[str, tuple[float, int]]:
    """Kind → (share right, pairs), and ``all``."""
    right = np.array([(p >= floor) == one["same"] for one, p in zip(records, chance, strict=True)])
    kinds = np.array([one["kind"] for one in records])
    table = {kind: (float(right[kinds == kind].mean()), int((kinds == kind).sum())) for kind in sorted(set(kinds))}
    return {"all": (float(right.mean()), len(right)), **table}


def measure(judge: LocalJudge, key: str) -> dict[str, Any]:
    """Fits and measures one judge; prints the figures and returns what is shipped."""
    names = FEATURES
    alone, lists = kpa(judge, listed=False), kpa(judge, listed=True)
    records = polarity()
    halves = {half: [one for one in records if one["half"] == half] for half in ("tuning", "held_out")}
    tuning = polarity_rows(judge, [*halves["tuning"], *unrelated(halves["tuning"])])
    topics = sorted(set(alone.topic))
    figures: dict[str, Any] = {}
    for title, rows in (("pair by pair", alone), ("with list context", lists)):
        out = np.zeros(len(rows.y))
        for topic in topics:
            model = fit(alone, lists, tuning, without=topic)
            held = rows.topic == topic
            out[held] = model.probability(rows.x[held], names)
        per = [auc(rows.y[rows.topic == topic], out[rows.topic == topic]) for topic in topics]
        print(f"{key}: KPA {title}: AUC {auc(rows.y, out):.3f}; by topic", " ".join(f"{one:.3f}" for one in per))
        figures[title] = round(auc(rows.y, out), 4)
    model = fit(alone, lists, tuning)
    chances = {half: model.probability(polarity_rows(judge, found).x, names) for half, found in halves.items()}
    floor = best_threshold(tuning.y, model.probability(tuning.x, names))
    for half, found in halves.items():
        table = accuracies(found, chances[half], floor)
        print(f"{key}: polarity {half}:", ", ".join(f"{k} {share:.3f} ({n})" for k, (share, n) in table.items()))
        figures[f"polarity {half}"] = round(table["all"][0], 4)
    strangers = unrelated(halves["held_out"])
    taken = (model.probability(polarity_rows(judge, strangers).x, names) >= floor).mean()
    print(f"{key}: unrelated reasons of the held-out half above the floor: {taken:.3f} of {len(strangers)}")
    kpa_taken = model.probability(lists.x, names) >= floor
    precision, recall = lists.y[kpa_taken].mean(), kpa_taken[lists.y > 0].mean()
    print(f"{key}: KPA lists at the floor: precision {precision:.3f}, recall {recall:.3f}")
    print(f"{key}: floor {floor:.4f}, weights", {name: round(value, 3) for name, value in model.weights.items()})
    return {
        "intercept": round(model.intercept, 6),
        "weights": {name: round(value, 6) for name, value in model.weights.items()},
        "floor": round(floor, 4),
        "figures": figures,
    }


def baselines(model: str | None) -> None:
    """What plain similarity reaches on the same pairs."""
    judges: list[LocalJudge] = [LexicalJudge(coefficients=BLANK)]
    judges += [EmbeddingJudge(model, coefficients=BLANK)] if model else []
    for judge in judges:
        requests, truth = kpa_requests(listed=False)
        x = np.array([table[0, 0] for table in judge.scaled(requests)])
        y = np.array([label for (label,) in truth])
        for at, name in enumerate(judge.measures):
            print(f"{type(judge).__name__}: {name} alone: AUC {auc(y, x[:, at]):.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("judge", choices=["lexical", "embedding"])
    parser.add_argument("--model", help="all-MiniLM-L6-v2 as a folder or hub name")
    parser.add_argument("--write", action="store_true", help="ship the coefficients")
    options = parser.parse_args()
    baselines(options.model)
    found: dict[str, Any] = {}
    if options.judge == "lexical":
        for scorer in ("token_set", "token_sort", "ratio"):
            found[f"lexical:{scorer}"] = measure(LexicalJudge(scorer, coefficients=BLANK), f"lexical:{scorer}")
    else:
        if not options.model:
            parser.error("embedding needs --model")
        found["embedding"] = measure(EmbeddingJudge(options.model, coefficients=BLANK), "embedding")
    if options.write:
        shipped = json.loads(SHIPPED.read_text("utf-8")) if SHIPPED.exists() else {}
        shipped["about"] = (
            "Fitted by benches/calibrate_local.py on KPA 2021 dev (CDLA-Sharing-1.0; no text of it is kept here) and "
            "on the tuning half of tests/polarity/pairs.jsonl. Figures are cross-validated over topics, and "
            "measured on the held-out half. Features are described in docs/local-judges.md."
        )
        SHIPPED.write_text(json.dumps({**shipped, **found}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
