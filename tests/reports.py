"""Synthetic results for the tests of the report, written as `eval`, `analyze` and `train` write them."""

import json
import random

import pyarrow
from pyarrow import parquet
from rationale_rm.documents import RESULT_FILE, SAMPLES_FILE, Analysis, Estimate, EvalResult, SampleView

DOMAINS = ("code", "general", "multilingual", "stem")
FLAWS = ("F1", "F2", "F3", "F4", "F5", "F6", "F7")
WORDS = (
    "cites",
    "dates",
    "orders",
    "bounds",
    "tests",
    "loops",
    "units",
    "names",
    "tables",
    "sources",
    "quotes",
    "proofs",
)


def estimate(metric, value, **fields):
    known = {"low": value - 0.05, "high": value + 0.05, "n": 95, "n_total": 100} | fields
    return Estimate(metric=metric, value=value, **known)


def sample(place, model, rng, **fields):
    """A sample whose figures follow from `rng`; every seventh is malformed, every eleventh has no answer."""
    references = tuple(f"Response 1 {rng.choice(WORDS)} {rng.choice(WORDS)} R{n}." for n in range(rng.randint(3, 6)))
    reasons = tuple(f"Response A {rng.choice(WORDS)} {rng.choice(WORDS)} S{n}." for n in range(rng.randint(0, 5)))
    cells = [(i, j, round(rng.random(), 2)) for i in range(len(references)) for j in range(len(reasons))]
    order = list(range(len(reasons)))
    rng.shuffle(order)
    chosen = list(zip(range(len(references)), order, strict=False))[: rng.randint(0, 3)]
    matches = tuple(cell for cell in cells if cell[:2] in chosen)
    status = "not_answered" if place % 11 == 10 else "no_verdict" if place % 7 == 6 else "ok"
    answered = status != "not_answered"
    pair = random.Random(place)  # every model's sample of a place is of one pair
    made = {
        "id": f"{place:05}",
        "pair_id": f"pair-{place:05}",
        "model": model,
        "domain": DOMAINS[place % 4],
        "context": ({"role": "user", "content": f"Question {place}: {' '.join(rng.choices(WORDS, k=12))}?"},),
        "response1": " ".join(pair.choices(WORDS, k=40)),
        "response2": " ".join(pair.choices(WORDS, k=40)),
        "label": rng.choice(("A>>B", "A>B", "B>A", "B>>A")),
        "verdict": rng.choice(("A>B", "B>A")) if status == "ok" else None,
        "right": rng.random() < 0.7 if status == "ok" else False if answered else None,
        "status": status,
        "text": " ".join(rng.choices(WORDS, k=30)) if answered else None,
        "references": references,
        "reasons": reasons if answered else (),
        "scores": tuple(cells) if answered else (),
        "matches": matches if answered else (),
        "judge_status": "ok" if answered else None,
        "rc": round(sum(score for _, _, score in matches) / len(references), 6) if answered else None,
        "classes": tuple(rng.choice(("EG", "CG", "GS")) for _ in reasons) if answered else (),
        "flaws": tuple(tuple(rng.sample(FLAWS, rng.randint(0, 2))) for _ in reasons) if answered else (),
    }
    return SampleView(**(made | fields))


def samples(model, n, seed=0):
    rng = random.Random(f"{model} {seed}")
    return [sample(place, model, rng) for place in range(n)]


def write_eval(folder, model, views, *, kind="rationale", estimates=None, **fields):
    folder.mkdir(parents=True, exist_ok=True)
    if estimates is None:
        estimates = [
            estimate(metric, value, slice=name)
            for name in ("overall", *DOMAINS)
            for metric, value in (("oa", 0.8), ("rc", 0.3), ("ap", 0.25))
        ]
    statuses = {}
    for view in views:
        statuses[view.status] = statuses.get(view.status, 0) + 1
    known = {
        "manifest": {"data": [{"path": "pairs.jsonl", "sha256": "0" * 64}], "seed": 0},
        "statuses": statuses,
        "notes": ("synthetic",),
    }
    result = EvalResult(eval=kind, model=model, estimates=tuple(estimates), **(known | fields))
    (folder / RESULT_FILE).write_text(json.dumps(result.to_dict()), "utf-8")
    lines = "".join(json.dumps(view.to_dict()) + "\n" for view in views)
    (folder / SAMPLES_FILE).write_text(lines, "utf-8")
    return folder


def write_analysis(path, analysis, subject, estimates, points=(), notes=()):
    made = Analysis(
        analysis=analysis, subject=tuple(subject), manifest={"seed": 0}, estimates=tuple(estimates),
        points=tuple(points), notes=tuple(notes),
    )  # fmt: skip
    path.write_text(json.dumps(made.to_dict()), "utf-8")
    return path


def taxonomy(path, models):
    rates = {"EG": 0.6, "CG": 0.3, "GS": 0.1, **{flaw: 0.05 * place for place, flaw in enumerate(FLAWS, 1)}}
    made = [estimate(code, rate, slice=model, rule="rules") for model in models for code, rate in rates.items()]
    return write_analysis(path, "taxonomy", models, made)


def agreement(path):
    points = [{"item": f"model-{n}", "x": 0.1 * n, "y": 0.09 * n + 0.01} for n in range(1, 9)]
    figures = [
        estimate(name, value) for name, value in (("r2", 0.98), ("rmse", 0.006), ("slope", 0.9), ("intercept", 0.01))
    ]
    return write_analysis(path, "agreement", ("judge-a", "judge-b"), figures, points)


def write_training(folder, *, rationale, steps=30):
    """A run whose rationale reward goes to `rationale`."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for step in range(steps + 1):
        share = step / steps
        if step:
            lines.append(
                {
                    "phase": "grpo",
                    "step": step,
                    "outcome": 0.7 + 0.1 * share,
                    "rationale": 0.2 + (rationale - 0.2) * share,
                }
            )
        if step % 10 == 0:
            rc, oa = 0.2 + (rationale - 0.2) * share, 0.75 + 0.1 * share
            figures = {
                name: {"value": value, "low": value - 0.03, "high": value + 0.03, "n": 100, "n_total": 100}
                for name, value in (("oa", oa), ("rc", rc))
            }
            domains = {name: {"oa": oa, "rc": rc} for name in DOMAINS}
            lines.append({"phase": "evaluation", "step": step, "split": "test", **figures, "by_domain": domains})
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    (folder / "run.json").write_text('{"version": "0"}', "utf-8")
    return folder


def write_training_samples(folder, *, steps, rationale=0.3, n=4):
    """The answers that a run keeps, as `rationale-rm train` writes them."""
    for step in steps:
        rows = []
        for place in range(n):
            one = sample(place, "m", random.Random(place + step), status="ok", text="an answer")
            rows.append(
                {
                    "step": step, "id": f"{step}/{place}/0", "pair_id": one.pair_id, "swapped": False,
                    "prompt": f"{one.response1} against {one.response2}", "answer": one.text, "tokens": 9,
                    "truncated": False, "status": "ok", "label": "A>B", "verdict": "A>B",
                    "references": list(one.references), "reasons": ["Response A cites R1.", "Response B is longer."],
                    "matches": [{"reference": 0, "reason": 1, "score": 0.5}], "outcome": 1.0, "rationale": rationale,
                    "rc": 0.2, "reward": rationale, "advantage": 0.0, "error": None,
                }
            )  # fmt: skip
        (folder / "samples").mkdir(exist_ok=True)
        parquet.write_table(pyarrow.Table.from_pylist(rows), folder / "samples" / f"step-{step:06}.parquet")
    return folder
