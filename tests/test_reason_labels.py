"""The labelled reasons of tests/reasons: their form, the split, and the figures that tests/reasons/README.md states."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent / "reasons"
CLASSES = ("EG", "CG", "GS")
FLAWS = tuple(f"F{number}" for number in range(1, 8))
VERDICTS = {"A>>B", "A>B", "B>A", "B>>A"}
DOMAINS = {"code", "creative", "general", "instructions", "multilingual", "safety", "stem"}


def load(name: str) -> list[dict[str, Any]]:
    lines = (FOLDER / name).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


DEV, HELD_OUT, FIRST_PASS = load("dev.jsonl"), load("held_out.jsonl"), load("first_pass.jsonl")
ANSWERS = [pytest.param(answer, id=answer["id"]) for answer in DEV + HELD_OUT]


def labels(reason: dict[str, Any]) -> set[str]:
    return {reason["class"], *reason["flaws"]}


def all_labels(answers: Iterable[dict[str, Any]]) -> list[set[str]]:
    return [labels(reason) for answer in answers for reason in answer["reasons"]]


def cohens_kappa(first: list[bool], second: list[bool]) -> float:
    n = len(first)
    observed = sum(a == b for a, b in zip(first, second, strict=True)) / n
    p, q = sum(first) / n, sum(second) / n
    chance = p * q + (1 - p) * (1 - q)
    return (observed - chance) / (1 - chance)


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_has_the_form_that_the_readme_describes(answer: dict[str, Any]) -> None:
    assert set(answer) == {"id", "domain", "context", "response1", "response2", "verdict", "reasons"}
    assert answer["domain"] in DOMAINS
    assert answer["verdict"] in VERDICTS
    assert {frozenset(message) for message in answer["context"]} == {frozenset({"role", "content"})}
    assert {message["role"] for message in answer["context"]} <= {"system", "user", "assistant"}
    assert answer["context"][-1]["role"] == "user"
    assert answer["response1"].strip()
    assert answer["response2"].strip()
    assert answer["response1"] != answer["response2"]
    assert 3 <= len(answer["reasons"]) <= 7


@pytest.mark.parametrize("answer", ANSWERS)
def test_labels_are_of_the_manual(answer: dict[str, Any]) -> None:
    for reason in answer["reasons"]:
        assert set(reason) == {"text", "class", "flaws"}
        assert reason["text"] == reason["text"].strip() != ""
        assert reason["class"] in CLASSES
        assert reason["flaws"] == [flaw for flaw in FLAWS if flaw in reason["flaws"]], "unknown, doubled or unsorted"


def test_the_halves_share_nothing_and_are_alike() -> None:
    answers = DEV + HELD_OUT
    texts = [reason["text"] for answer in answers for reason in answer["reasons"]]
    assert len({answer["id"] for answer in answers}) == len(answers)
    assert len(set(texts)) == len(texts)
    assert {answer["context"][-1]["content"] for answer in DEV}.isdisjoint(
        answer["context"][-1]["content"] for answer in HELD_OUT
    )
    for domain in DOMAINS:
        counts = [sum(answer["domain"] == domain for answer in half) for half in (DEV, HELD_OUT)]
        assert abs(counts[0] - counts[1]) <= 1, domain


def readme_rows(heading: str) -> dict[str, list[str]]:
    """The rows of the table under `heading` that begin with a label or with "reasons": first cell → the others."""
    section = (FOLDER / "README.md").read_text(encoding="utf-8").split(heading)[1].split("\n## ")[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]
    return {row[0]: row[1:] for row in cells if row[0] in {*CLASSES, *FLAWS, "reasons", "answers", "no flaw"}}


def test_the_readme_states_the_counts() -> None:
    count: dict[str, Callable[[list[dict[str, Any]]], int]] = {
        "answers": len,
        "reasons": lambda half: len(all_labels(half)),
        "no flaw": lambda half: sum(not found & set(FLAWS) for found in all_labels(half)),
    }
    for label in (*CLASSES, *FLAWS):
        count[label] = lambda half, label=label: sum(label in found for found in all_labels(half))  # type: ignore[misc]
    expected = {name: [str(of(half)) for half in (DEV, HELD_OUT, DEV + HELD_OUT)] for name, of in count.items()}
    assert readme_rows("## Counts") == expected


@pytest.mark.parametrize("half", [DEV, HELD_OUT], ids=["dev", "held_out"])
def test_a_half_is_large_enough_for_a_kappa_of_each_label(half: list[dict[str, Any]]) -> None:
    found = all_labels(half)
    assert len(found) >= 165
    for label in (*CLASSES, *FLAWS):
        assert sum(label in labels for labels in found) >= 15, label


def test_the_readme_states_the_agreement_of_the_two_passes() -> None:
    first = {answer["id"]: [set(found) for found in answer["labels"]] for answer in FIRST_PASS}
    answers = DEV + HELD_OUT
    assert set(first) == {answer["id"] for answer in answers}
    before = [found for answer in answers for found in first[answer["id"]]]
    after = all_labels(answers)
    expected = {}
    for label in (*CLASSES, *FLAWS):
        columns = [[label in found for found in labels] for labels in (before, after)]
        expected[label] = [str(sum(columns[0])), str(sum(columns[1])), f"{cohens_kappa(*columns):.2f}"]
    assert readme_rows("## Second pass") == expected
