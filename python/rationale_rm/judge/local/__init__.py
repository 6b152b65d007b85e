"""Judges without a network: stand-ins for a MetaJudge, by words or by a small embedding model.

`import rationale_rm.judge.local` needs numpy alone; sentence-transformers loads with the first `EmbeddingJudge`.
"""

from __future__ import annotations

from rationale_rm.judge.local.embedding import EmbeddingJudge
from rationale_rm.judge.local.judge import LocalJudge
from rationale_rm.judge.local.lexical import LexicalJudge

__all__ = ["EmbeddingJudge", "LexicalJudge", "LocalJudge", "open_local"]


def open_local(kind: str, model: str) -> LocalJudge:
    """The judge named ``lexical``, or ``embedding`` with a model by hub name or folder.

    Raises `ValueError` for another kind, and what `EmbeddingJudge` raises.
    """
    if kind == "lexical":
        return LexicalJudge()
    if kind == "embedding":
        return EmbeddingJudge(model)
    raise ValueError(f"{kind!r} is no local judge: lexical or embedding")
