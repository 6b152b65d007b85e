"""Batches of rows into scores, for ``map_batches`` of Ray Data and for ``datasets.map(batched=True)``.

    from rationale_rm.integrations.ray import BatchScorer

    scored = ray.data.read_parquet("matches/").map_batches(
        BatchScorer, batch_format="pyarrow", batch_size=1024, num_cpus=1, compute=ray.data.ActorPoolStrategy(size=2)
    )

The class needs neither library. ``rationale-rm score --engine ray`` gives figures; this gives rows to go on with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from rationale_rm._core import RationaleError
from rationale_rm.data import LabelScale, Row
from rationale_rm.integrations.ray_lines import LABEL, Scoring, score_lines
from rationale_rm.judge import loop
from rationale_rm.metrics import METRICS, Asked, Settings
from rationale_rm.rewards import RewardSettings, open_judge

COLUMNS: Final = (
    *("row", "id", "pair_id", "domain", "model", "swapped", "sample", "label", "verdict", "answer_status"),
    *("judge_status", *METRICS, "judge", "reason"),
)
"""What `BatchScorer` gives: ``row`` is the place in the batch, from 0; the others are those of ``score --samples``;
``reason`` says why a row could not be read, and is null for one that could."""
_ALONE: Final = "only holds a label, which belongs to a pair on another row"


class BatchScorer:
    """parse → match → score for a batch of rows: pairs with answers, lines of ``critique`` or ``match``, or records of
    the authors' MetaJudge script, as they stand in JSON Lines or Parquet (`rationale_rm.data`).

    Each row is scored on its own: what is known of its pair, the models' answers and the judge's must stand in it. It
    gives a row for each model that it holds an answer of, one without a model where it holds none, and one with a
    ``reason`` where it cannot be read: no row vanishes, and none is scored 0 for a fault that is not the model's.
    """

    def __init__(
        self,
        *,
        settings: Settings | Mapping[str, Any] | None = None,
        judge: str | RewardSettings | Mapping[str, Any] | None = None,
        label_scale: LabelScale | None = None,
        model: str | None = None,
    ):
        """`settings`: of `rationale_rm.metrics.evaluate`, or some of its names and values.

        `judge`: None for ``settings.judge`` (by default the judge answers in the rows), a judge's name as for ``match
        --judge``, or `RewardSettings`, of which those about the judge count. A judge that is asked is opened once in
        each process, at the first batch. `label_scale` and `model`: see `rationale_rm.data.read_pairs`.

        Raises `RationaleError` for settings that do not exist.
        """
        try:
            chosen = settings if isinstance(settings, Settings) else Settings(**dict(settings or {}))
        except TypeError as error:
            raise RationaleError(f"settings: {error}") from None
        self._asked_of: RewardSettings | None = None
        if isinstance(judge, RewardSettings):
            self._asked_of = judge
        elif judge is not None:
            self._asked_of = RewardSettings.from_mapping({"judge": judge} if isinstance(judge, str) else judge)
        self._scoring = Scoring(chosen, label_scale, model)
        self._asked: Asked | None = None

    def __getstate__(self) -> dict[str, Any]:
        """What travels to a worker; it opens a judge of its own."""
        return {**self.__dict__, "_asked": None}

    def __call__(self, batch: Any) -> Any:
        """A batch as columns (`pyarrow.Table`, or names → lists or arrays) → `COLUMNS`, as a table where a table came,
        else as lists.
        """
        is_table = hasattr(batch, "to_pylist")
        values = batch.to_pylist() if is_table else _rows(batch)
        items = [Row("batch", number, value) for number, value in enumerate(values)]
        table = score_lines(items, self._scoring, asked=self._judge()).rename_columns({"line": "row"})
        kinds, reasons = table.column("kind").to_pylist(), table.column("reason").to_pylist()
        columns = table.select(COLUMNS).to_pydict()
        columns["reason"] = [_ALONE if kind == LABEL else reason for kind, reason in zip(kinds, reasons, strict=True)]
        if not is_table:
            return columns
        import pyarrow as pa

        texts = {"reason": pa.array(columns["reason"], pa.string())}
        for name in COLUMNS:  # words, not places in a dictionary: those of one batch are not those of the next
            column = table.column(name)
            texts.setdefault(name, column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column)
        return pa.table({name: texts[name] for name in COLUMNS})

    def _judge(self) -> Asked | None:
        if self._asked is None and self._asked_of is not None:
            judge = open_judge(self._asked_of)
            self._asked = Asked(lambda requests: loop.run(judge.match(requests)), judge.name, judge.stand_in)
        return self._asked


def _rows(batch: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Columns as records of plain values: Ray Data gives arrays, also for the lists within them."""
    names = list(batch)
    columns = [[_plain(value) for value in batch[name]] for name in names]
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return [_plain(item) for item in value.tolist()]
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value
