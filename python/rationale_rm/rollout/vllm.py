"""Rollouts from vLLM in this process, given the trainer's weights in place."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from rationale_rm.engine import EngineError, Generation, Message, VllmEngine
from rationale_rm.rollout.types import Completion, GroupsOfRows, OnGroup, row_seed, sampling_of
from rationale_rm.rollout.weights import checkpoint_weights, to_the_end


class VllmRollouts:
    """Samples from vLLM, whose weights `sync` replaces by the trainer's.

    `engine` is a `VllmEngine`, which the caller closes, or the path of the model, for which one is made with `options`
    and closed with the rollouts. It answers with the weights of its own files until the first `sync`. Where several
    processes share a model (`VllmEngine`), they call every method together.
    """

    def __init__(self, engine: VllmEngine | str | os.PathLike[str], **options: Any):
        self._own = not isinstance(engine, VllmEngine)
        if isinstance(engine, VllmEngine):
            if options:
                raise EngineError(f"options of an engine that is there already: {', '.join(options)}")
            self._engine = engine
        else:
            self._engine = VllmEngine(engine, **options)

    def sample(
        self,
        prompts: Sequence[Sequence[Message]],
        n: int,
        *,
        max_tokens: int,
        temperature: float,
        seeds: Sequence[int],
        on_group: OnGroup | None = None,
    ) -> list[list[Completion]]:
        """See `Rollouts.sample`. All answers are drawn at once; vLLM forms the batches."""
        how = sampling_of(prompts, n, seeds, max_tokens, temperature)
        groups = GroupsOfRows(len(prompts), n, on_group)
        rows: list[tuple[int, int]] = []
        ids: list[list[int]] = []
        for index, encoded in groups.encode(prompts, self._engine.chat).items():
            rows += [(index, sample) for sample in range(n)]
            ids += [encoded] * n

        def on_answer(row: int, answer: Generation) -> None:
            index, sample = rows[row]
            groups.add(
                Completion(
                    prompt=index,
                    sample=sample,
                    prompt_ids=tuple(ids[row]),
                    token_ids=answer.token_ids,
                    logprobs=answer.logprobs,
                    text=answer.text,
                    truncated=answer.finish_reason == "length",
                    error=answer.error,
                )
            )

        sampling = [replace(how, seed=row_seed(seeds[index], sample)) for index, sample in rows]
        self._engine.generate_ids(ids, sampling, logprobs=True, on_answer=on_answer)
        return groups.complete()

    def sync(self, model: Any) -> None:
        """Loads the present weights of `model` into vLLM, and forgets what the old ones have computed.

        `model` may be wrapped by DDP or peft (`checkpoint_weights`), or sharded by FSDP2 or ZeRO-3: then every process
        must call this.
        """
        with to_the_end(checkpoint_weights(model)) as weights:
            self._engine.load_weights(weights)

    def close(self) -> None:
        """Closes the engine if it was made here. Closing twice is fine."""
        if self._own:
            self._engine.close()
