"""Samples as the page carries them: columns to filter by, and texts in compressed chunks that are opened on demand.

Responses, prompt and human reasons stand once a chunk for all answers to a pair, which are neighbours.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rationale_rm.documents import SampleView
from rationale_rm.report.inputs import SampleSet

_TITLE: Final = 80
CHUNK: Final = 256 * 1024
"""Bytes of JSON at which a chunk is closed: one inflates in a few milliseconds, and a search has few to await."""
FLAWS: Final = ("F1", "F2", "F3", "F4", "F5", "F6", "F7")
CLASSES: Final = ("EG", "CG", "GS")
_PAIR: Final = ("context", "response1", "response2", "authors", "references")
_ANSWER: Final = ("text", "reasons", "scores", "matches", "classes", "flaws", "error", "judge_status", "ap")
_LEVEL: Final = 6
_GZIP: Final = 31
"""Window bits that make zlib write a gzip header, for the browser's ``DecompressionStream("gzip")``."""


@dataclass(frozen=True)
class Packed:
    """All samples: `index` and each of `chunks` are gzipped JSON in base64."""

    index: str
    chunks: Sequence[str]
    n_samples: int
    n_bytes: int
    """Of the JSON before compression."""


def pack(sets: Sequence[SampleSet]) -> Packed:
    """Packs the samples, sorted by pair so that what several models said of one pair stands together."""
    runs = [one.run for one in sets]
    rows = [(number, sample) for number, one in enumerate(sets) for sample in one.samples]
    order = {pair: place for place, pair in enumerate(dict.fromkeys(_pair_of(sample) for _, sample in rows))}
    rows.sort(key=lambda row: (order[_pair_of(row[1])], row[0], row[1].id))
    chunks, places, n_bytes = [], [], 0
    for number, (content, n_samples) in enumerate(_chunks(sample for _, sample in rows)):
        places += [number] * n_samples
        n_bytes += len(content)
        chunks.append(_encoded(content))
    index = _json(_index(runs, rows, places))
    return Packed(_encoded(index), chunks, len(rows), n_bytes + len(index))


def _index(runs: Sequence[str], rows: Sequence[tuple[int, SampleView]], places: Sequence[int]) -> dict[str, Any]:
    """One array a column, all of one length; what repeats is a number into a list of its values."""
    samples = [sample for _, sample in rows]
    lists: dict[str, list[Any]] = {}
    table: dict[str, Any] = {
        "runs": runs,
        "values": lists,
        "run": [number for number, _ in rows],
        "chunk": list(places),
        "id": [sample.id for sample in samples],
        "rc": [None if sample.rc is None else round(sample.rc, 4) for sample in samples],
        "right": [None if sample.right is None else int(sample.right) for sample in samples],
        "swapped": [int(sample.swapped) for sample in samples],
        "flaws": [_mask(FLAWS, (flaw for flaws in sample.flaws for flaw in flaws or ())) for sample in samples],
        "classes": [_mask(CLASSES, sample.classes) for sample in samples],
    }
    pairs: dict[Any, int] = {}
    table["pair"] = [pairs.setdefault(_pair_of(sample), len(pairs)) for sample in samples]
    lists["pair"] = [pair[0] for pair in pairs]
    titles: dict[int, str] = {}
    for number, sample in zip(table["pair"], samples, strict=True):
        titles.setdefault(number, _title(sample))
    lists["title"] = list(titles.values())
    for column, name in (
        ("domain", "domain"), ("status", "status"), ("label", "label"), ("verdict", "verdict"),
    ):  # fmt: skip
        values: dict[Any, int] = {}
        table[column] = [values.setdefault(getattr(sample, name), len(values)) for sample in samples]
        lists[column] = list(values)
    return table


def _title(sample: SampleView) -> str:
    """What a person is to know the pair by: the beginning of the user's last message.

    A policy's whole prompt begins like any other of its run, and says nothing.
    """
    if isinstance(sample.context, str):
        return ""
    said = [one.get("content") for one in sample.context if one.get("role") == "user"]
    return " ".join(said[-1][: 4 * _TITLE].split())[:_TITLE] if said and isinstance(said[-1], str) else ""


def _pair_of(sample: SampleView) -> tuple[str, str, str]:
    """What tells pairs apart: two evaluations may call pairs of theirs by one id."""
    return sample.pair_id, sample.response1, sample.response2


def _mask(names: Sequence[str], found: Iterable[str | None]) -> int:
    """Bit i is set where the i-th name was found; other names are left out."""
    return sum(1 << names.index(name) for name in set(found) if name in names)


def _chunks(samples: Iterable[SampleView]) -> Iterator[tuple[bytes, int]]:
    """JSON of ``{"pairs": […], "samples": […]}`` and its number of samples; each sample names its pair's place."""
    pairs: list[bytes] = []
    answers: list[bytes] = []
    known: dict[bytes, int] = {}
    size = 0
    for sample in samples:
        pair = _json(_fields(sample, _PAIR))
        if pair not in known:
            known[pair] = len(pairs)
            pairs.append(pair)
            size += len(pair)
        answers.append(_json({"pair": known[pair], **_fields(sample, _ANSWER)}))
        size += len(answers[-1])
        if size >= CHUNK:
            yield _joined(pairs, answers), len(answers)
            pairs, answers, known, size = [], [], {}, 0
    if answers:
        yield _joined(pairs, answers), len(answers)


def _joined(pairs: Sequence[bytes], answers: Sequence[bytes]) -> bytes:
    return b'{"pairs":[' + b",".join(pairs) + b'],"samples":[' + b",".join(answers) + b"]}"


def _fields(sample: SampleView, names: Sequence[str]) -> Mapping[str, Any]:
    return {name: getattr(sample, name) for name in names}


def _json(value: object) -> bytes:
    """Pure ASCII: lone surrogates keep their place as escapes."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii")


def _encoded(content: bytes) -> str:
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    return base64.b64encode(packer.compress(content) + packer.flush()).decode("ascii")
