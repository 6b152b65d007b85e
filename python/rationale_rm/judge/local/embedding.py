"""A judge by a small sentence-embedding model: no network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rationale_rm.judge.local.alignment import ALIGNMENT, Floats, Texts, align
from rationale_rm.judge.local.claims import Claim
from rationale_rm.judge.local.encoder import Encoded, Encoder
from rationale_rm.judge.local.judge import LocalJudge, read_cached
from rationale_rm.judge.local.model import Coefficients, shipped
from rationale_rm.types import MatchRequest


class EmbeddingJudge(LocalJudge):
    """Scores by a sentence-transformers model: the texts as wholes, word by word, and where claims conflict.

    `model` is a hub name or a local folder; `device` such as ``cpu`` or ``cuda:1``, by default the best there is;
    `cache_bytes` bounds the vectors kept in memory. Raises an `ImportError` that names the extra when
    sentence-transformers is missing, an `OSError` for a folder that is missing and a hub that cannot be reached, and
    what that library raises for a model that it cannot load.

    The coefficients were fitted on all-MiniLM-L6-v2. Another model's similarities are brought to that scale by what it
    gives to unrelated reasons (``background.json``), which is an approximation.
    """

    measures = ("cosine", *ALIGNMENT, "residual")

    def __init__(
        self,
        model: str | Path,
        *,
        device: str | None = None,
        cache_bytes: int = 256 << 20,
        coefficients: Coefficients | None = None,
    ):
        super().__init__(coefficients or shipped("embedding"))
        self._encoder = Encoder(str(model), device=device, cache_bytes=cache_bytes)
        self.name = f"embedding:{model}"
        self.stand_in = (
            "embedding scores are a rough stand-in for a MetaJudge: a small model's similarity of meaning, which "
            "reads no conversation, often misses an opposite claim, and cannot tell whether a reason is true or "
            "complete"
        )

    @property
    def device(self) -> str:
        """Where the model lies."""
        return self._encoder.device

    def likeness(self, measures: Floats) -> Floats:
        """The mean of the measures by words; the cosine of whole texts mostly tells that the subject is the same."""
        mean: Floats = measures[..., 1:].mean(axis=-1)
        return mean

    def leading(self, table: Floats) -> Floats:
        """Rivals share the subject, so among them the cosine tells what else a text says."""
        return table[..., 0]

    def measure(self, requests: Sequence[MatchRequest]) -> Iterator[Floats]:
        """The cosine of the texts, the alignment of words, and the cosine of what the texts do not share."""
        encoded = self._encode({text for request in requests for text in (*request.references, *request.reasons)})
        for request in requests:
            references = [(read_cached(text), encoded[text]) for text in request.references]
            reasons = [(read_cached(text), encoded[text]) for text in request.reasons]
            yield _table(references, reasons)

    def _encode(self, texts: set[str]) -> dict[str, Encoded]:
        spans = {text: [(word.start, word.end) for word in read_cached(text).terms] for text in sorted(texts)}
        return self._encoder.encode(spans)


_Text = tuple[Claim, Encoded]


def _table(references: Sequence[_Text], reasons: Sequence[_Text]) -> Floats:
    """(n, m, 5) similarities as the model gives them."""
    table = np.zeros((len(references), len(reasons), 5))
    if not references or not reasons:
        return table
    ours, theirs = (_floats([vector.sentence for _, vector in texts]) for texts in (references, reasons))
    table[..., 0] = ours @ theirs.T
    texts = Texts([len(claim.terms) for claim, _ in reasons])
    keys = np.array([term.stem for claim, _ in reasons for term in claim.terms])
    columns = np.array([term.counts for claim, _ in reasons for term in claim.terms], dtype=bool)
    if not columns.any():
        return table
    middle = np.concatenate([vector.middle for _, vector in reasons]).astype(np.float32)
    last = np.concatenate([vector.last for _, vector in reasons]).astype(np.float32)
    for at, (claim, vector) in enumerate(references):
        rows = np.array([term.counts for term in claim.terms], dtype=bool)
        if not rows.any():
            continue
        shared = np.array([term.stem for term in claim.terms])[:, None] == keys[None, :]
        similarity = (vector.middle.astype(np.float32) @ middle.T).astype(np.float64)
        table[at, :, 1:4] = align(similarity, shared, rows, columns, texts)
        table[at, :, 4] = _residual(vector.last.astype(np.float32)[rows], last, shared[rows], columns, texts)
    return table


def _residual(
    ours: NDArray[np.float32],
    theirs: NDArray[np.float32],
    shared: NDArray[np.bool_],
    columns: NDArray[np.bool_],
    texts: Texts,
) -> Floats:
    """(m,) cosine of what is left of both texts' content without the words that they share.

    Where nothing is left of a text, all its content stands for it.
    """
    keep = ~texts.any(shared)
    keep[:, ~keep.any(axis=0)] = True
    left = keep.T.astype(np.float32) @ ours
    mine = (columns & ~shared.any(axis=0)).astype(np.float32)
    counts = texts.total(mine)
    owner = np.repeat(np.arange(len(texts)), texts.sizes)
    mine = np.where(counts[owner] > 0, mine, columns).astype(np.float32)
    right = texts.total((theirs * mine[:, None]).T).T
    norms = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    cosine: Floats = ((left * right).sum(axis=1) / np.maximum(norms, 1e-12)).astype(np.float64)
    return cosine


def _floats(vectors: Sequence[NDArray[Any]]) -> Floats:
    return np.array(vectors, dtype=np.float64)
