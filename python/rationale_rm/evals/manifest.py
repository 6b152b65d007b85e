"""What the figures of a run depend on, in plain values."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from rationale_rm import _core as core
from rationale_rm.evals.files import fingerprint
from rationale_rm.evals.table import ScoredItem


def manifest(
    *,
    data: Sequence[str],
    recorded: Sequence[str] | None,
    items: Sequence[ScoredItem],
    n_pairs: int,
    model: str,
    sampling: Mapping[str, Any] | None,
    n_resamples: int,
    seed: int,
    **more: Any,
) -> dict[str, Any]:
    """The manifest of a run: files with their SHA-256, model, templates and sampling, seed and package version.

    `recorded` are the files of recorded answers, None for a live run, whose `sampling` names its template. `more` is
    the benchmark's own. No key, address or password is part of it: `model` is the name alone.
    """
    return {
        "version": core.__version__,
        "answers": "live" if recorded is None else "recorded",
        "model": model,
        "data": fingerprint(data),
        "recorded": None if recorded is None else fingerprint(recorded),
        "n_items": len(items),
        "items_sha256": _content(items),
        "n_pairs": n_pairs,
        "sampling": None if sampling is None else dict(sampling),
        "interval": {"level": 0.95, "n_resamples": n_resamples, "seed": seed, "drawn": "clusters of items"},
        **more,
    }


def _content(items: Sequence[ScoredItem]) -> str:
    """What was asked about, whatever file it came from: SHA-256 of the items' ids and texts."""
    named = sorted([item.id, item.digest or ""] for item in items)
    return hashlib.sha256(json.dumps(named).encode()).hexdigest()
