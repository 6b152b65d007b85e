"""Clusters of texts that are nearly the same, in time that grows with their number and not with its square."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from rationale_rm import _core as core
from rationale_rm.extras import needs

SIMILAR: Final = 0.9
"""RapidFuzz's ratio / 100 of two texts that count as nearly the same."""
_SHINGLE: Final = 4
_HASHES: Final = 96
_BANDS: Final = 32
"""Texts that share 50% of their shingles share a band with probability 1 - (1 - .5^3)^32 = 98.6%, 60% with 99.96%."""
_ODD: Final = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], dtype=np.uint64)
_BAND_KEYS: Final = np.arange(_BANDS, dtype=np.uint64) * np.uint64(0xD6E8FEB86659FD93)
_BUCKET: Final = 8
"""So many leaders are kept for one value of a band. A value that more of them share is of some phrase that stands
everywhere; texts that are nearly the same share rarer ones too. Without a bound the time is quadratic."""
_COMPARED: Final = 16
"""Leaders that a text is compared with at the most, those that share most bands with it."""


def cluster(
    texts: Sequence[str], *, similar: float = SIMILAR, on_text: Callable[[int], None] | None = None
) -> list[int]:
    """For each of the distinct `texts`, the index of the text that leads its cluster.

    In their order, each text joins the leader that it resembles most, if by `similar` at least
    (`rationale_rm.similarity`, ``ratio``), and else leads a cluster of its own; so no chain of small changes joins what
    is unlike. Candidates are found by MinHash of the character 4-grams in bands: a few of those alike are missed, none
    are joined wrongly. `on_text` is called with the number of texts done. Raises `MissingExtraError` without ``rensa``.
    """
    with needs("analysis", "rensa"):
        import rensa

    buckets: defaultdict[int, tuple[int, ...]] = defaultdict(tuple)  # a tuple of one is half the size of a list
    leaders: list[int] = []
    for number, text in enumerate(texts):
        if on_text is not None:
            on_text(number)
        bands = _bands(rensa, text.encode("utf-8", "replace").decode())
        shared = Counter(leader for band in bands for leader in buckets.get(band, ()))
        found = _alike(text, shared, texts, similar)
        if found is None:
            for band in bands:
                if len(buckets[band]) < _BUCKET:
                    buckets[band] += (number,)
        leaders.append(number if found is None else found)
    return leaders


def _bands(rensa: Any, text: str) -> list[int]:
    """A key for each band: texts that have one in common share the hashes of that band, but for 1 in 2^64."""
    sketch = rensa.RMinHash(num_perm=_HASHES, seed=0)
    sketch.update({text[at : at + _SHINGLE] for at in range(max(1, len(text) - _SHINGLE + 1))})
    hashes = np.array(sketch.digest(), dtype=np.uint64).reshape(_BANDS, -1)
    mixed: list[int] = ((hashes * _ODD).sum(axis=1, dtype=np.uint64) ^ _BAND_KEYS).tolist()
    return mixed


def _alike(text: str, shared: Counter[int], texts: Sequence[str], similar: float) -> int | None:
    """The leader that resembles `text` most, None where none does; `shared`: leader → bands in common."""
    size = len(text)
    # the ratio of texts of unequal length has a bound
    near = [one for one in shared if 2 * min(len(texts[one]), size) >= similar * (len(texts[one]) + size)]
    near.sort(key=lambda one: (-shared[one], one))
    if not near:
        return None
    compared = near[:_COMPARED]
    scores = core.similarity([[texts[one] for one in compared]], [[text]], scorer="ratio").scores[0, :, 0]
    best = int(scores.argmax())
    return compared[best] if scores[best] >= similar else None
