"""Hostile judge answers: none may earn a score or a verdict that a clean reading of the text would not.

Each line of `cases.jsonl` holds the text (or a recipe for it), what a naive reader would be tricked into
(`attack`) and what the contract of the parsers (docs/parsing.md) demands. `status_in` and `verdict_in` stand
where the contract leaves room; a verdict, entries or claims are then looked at only if the row is `ok`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
import rationale_rm
from expansion import expand, load

CASES = load()
LIMIT_SECONDS = 30.0  # linear readers need well under a second for 10 MB; quadratic ones need hours


def status_name(parser: str, code: int) -> str:
    names: dict[str, tuple[str, ...]] = {
        "genrm": rationale_rm.GENRM_STATUSES,
        "metajudge": rationale_rm.METAJUDGE_STATUSES,
        "claims": rationale_rm.CLAIMS_STATUSES,
    }
    return names[parser][code]


def parse(parser: str, texts: list[str], args: list[dict[str, Any]]) -> Any:
    """One batch. The rows share the keyword arguments, but not the numbers of references and reasons."""
    if parser == "genrm":
        return rationale_rm.parse_genrm(texts, **args[0])
    if parser == "claims":
        return rationale_rm.parse_claims(texts)
    return rationale_rm.parse_metajudge(
        texts,
        [a["n_references"] for a in args],
        [a["n_reasons"] for a in args],
        policy=args[0].get("policy", "strict"),
    )


def groups() -> Iterator[list[dict[str, Any]]]:
    """The cases that can stand in one batch."""
    found: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for case in CASES:
        shared = {k: v for k, v in case["args"].items() if k not in ("n_references", "n_reasons")}
        found.setdefault((case["parser"], *sorted(shared.items())), []).append(case)
    yield from found.values()


def entries(batch: Any, row: int) -> list[list[float]]:
    """Entries of a row as they are written: references and reasons from 1, S0 for none."""
    rows = range(int(batch.row_offsets[row]), int(batch.row_offsets[row + 1]))
    return [[int(batch.reference[k]) + 1, int(batch.reason[k]) + 1, float(batch.score[k])] for k in rows]


def check(case: dict[str, Any], batch: Any, row: int) -> None:
    expect, parser = case["expect"], case["parser"]
    status = status_name(parser, int(batch.status[row]))
    assert status in expect.get("status_in", [expect.get("status")])
    ok = status == "ok"
    if parser == "genrm":
        verdict = int(batch.verdict[row])
        if ok:
            assert verdict in expect.get("verdict_in", [expect.get("verdict")])
        else:
            assert verdict == rationale_rm.NO_VERDICT
        if "family" in expect:
            assert rationale_rm.VERDICT_FAMILIES[int(batch.family[row])] == expect["family"]
        if "reasons" in expect:
            assert batch.reasons[row] == expect["reasons"]
        if "n_reasons" in expect:
            assert int(batch.n_reasons[row]) == expect["n_reasons"]
        assert int(batch.n_reasons[row]) == len(batch.reasons[row])
    elif parser == "metajudge":
        got = entries(batch, row)
        if ok:
            assert len(got) == len(expect["entries"])
            for mine, theirs in zip(got, expect["entries"], strict=True):
                assert mine == pytest.approx(theirs, abs=1e-12)
        else:
            assert got == []
    else:
        if not ok:
            assert batch.claims[row] == []
            assert batch.ignored[row] == []
            assert batch.empty_reason[row] is None
        elif "claims" in expect:
            assert batch.claims[row] == expect["claims"]
        if "claims_lengths" in expect:
            assert [len(claim) for claim in batch.claims[row]] == expect["claims_lengths"]
        if "n_ignored" in expect:
            assert len(batch.ignored[row]) == expect["n_ignored"]
        if "empty_reason" in expect:
            assert batch.empty_reason[row] == expect["empty_reason"]


@pytest.mark.parametrize("case", CASES, ids=[c["id"] for c in CASES])
def test_alone(case: dict[str, Any]) -> None:
    text = expand(case["text"])
    start = time.perf_counter()
    batch = parse(case["parser"], [text], [case["args"]])
    assert time.perf_counter() - start < LIMIT_SECONDS
    assert len(batch.status) == 1
    check(case, batch, 0)


@pytest.mark.parametrize("group", list(groups()), ids=lambda g: f"{g[0]['id']}-and-{len(g) - 1}-more")
def test_as_one_batch(group: list[dict[str, Any]]) -> None:
    batch = parse(group[0]["parser"], [expand(c["text"]) for c in group], [c["args"] for c in group])
    assert len(batch.status) == len(group)
    for row, case in enumerate(group):
        check(case, batch, row)


def test_cases_are_well_formed() -> None:
    assert len(CASES) >= 60
    assert len({c["id"] for c in CASES}) == len(CASES)
    for case in CASES:
        expect = case["expect"]
        assert case["attack"]
        assert ("status" in expect) != ("status_in" in expect)
        if "ok" in expect.get("status_in", [expect.get("status")]):
            wanted = {
                "genrm": ("verdict", "verdict_in"),
                "metajudge": ("entries",),
                "claims": ("claims", "claims_lengths"),
            }
            assert any(key in expect for key in wanted[case["parser"]]), case["id"]
