"""What the processes of a run tell each other; with one process nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

T = TypeVar("T")


class Processes:
    """The processes of `accelerator`. Every method is called by all of them, in the same order."""

    def __init__(self, accelerator: Any):
        self._accelerator = accelerator
        self.n: int = accelerator.num_processes
        self.rank: int = accelerator.process_index

    @property
    def is_main(self) -> bool:
        """Whether this process writes and prints."""
        return self.rank == 0

    def gather(self, items: Sequence[T]) -> list[T]:
        """The items of all processes, those of the first first."""
        if self.n == 1:
            return list(items)
        from accelerate.utils import gather_object

        found: list[T] = gather_object(list(items))
        return found

    def least(self, value: float) -> float:
        """The smallest of the processes' values."""
        return min(self.gather([value]))

    def total(self, values: Sequence[float]) -> list[float]:
        """The sums of the processes' values, each by its place; float64."""
        if self.n == 1:
            return list(values)
        columns = self.gather([list(values)])
        return [sum(column) for column in zip(*columns, strict=True)]

    def any(self, flag: bool) -> bool:
        """Whether it is so in any process."""
        return any(self.gather([flag]))

    def wait(self) -> None:
        """Waits for all of them."""
        if self.n > 1:
            self._accelerator.wait_for_everyone()
