"""How metrics, evaluations and analyses are called on the page."""

from __future__ import annotations

from typing import Final

METRICS: Final = {
    "oa": "OA",
    "rc": "RC",
    "ap": "AP",
    "f1": "F1",
    "oa_rc": "OA × RC",
    "joint": "OA × RC",
    "r2": "R²",
    "rmse": "RMSE",
    "rmse_identity": "RMSE from equality",
    "soft_ap": "Soft AP",
    "win_rate_5_95": "Win rate, 5 to 95%",
}
EVALS: Final = {
    "rationale": "Rationale Consistency",
    "rm_bench": "RM-Bench",
    "judgebench": "JudgeBench",
    "llmbar": "LLMBar",
    "arena_hard": "Arena-Hard v2",
}
FLAWS: Final = {
    "F1": "style only",
    "F2": "generic correctness",
    "F3": "generic relevance",
    "F4": "single-sided praise",
    "F5": "unfalsifiable",
    "F6": "non sequitur",
    "F7": "contradiction",
}
CLASSES: Final = {"EG": "evidence-grounded", "CG": "criterion-grounded", "GS": "generic or style"}


def metric(name: str) -> str:
    """A metric's name in a heading."""
    plain = name.replace("_", " ")
    return METRICS.get(name, plain[:1].upper() + plain[1:])


def part(name: str) -> str:
    """A slice's name: a domain, a level, a category."""
    return name.replace("_", " ")


def evaluation(name: str) -> str:
    """An evaluation's name."""
    return EVALS.get(name, name)
