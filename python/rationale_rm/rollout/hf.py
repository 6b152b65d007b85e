"""Rollouts from the trainer's own module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from rationale_rm.engine import EngineError, Message, Sampling
from rationale_rm.engine.chat import ChatTokenizer
from rationale_rm.engine.hf import end_tokens
from rationale_rm.rollout.sharded import gathered
from rationale_rm.rollout.types import Completion, GroupsOfRows, OnGroup, row_seed, sampling_of
from rationale_rm.rollout.weights import unwrapped


class HfRollouts:
    """Samples from `model`, a causal model of transformers that may be wrapped by DDP or peft, or sharded by FSDP2 or
    ZeRO-3.

    There is nothing to sync: the module that is trained is the one that answers, in eval mode and without gradients
    while it does. `max_model_len` bounds prompt and answer together, in tokens (default: what the model was trained
    for). Up to `batch_size` answers are drawn together, and at least one group. `template_options` go to the chat
    template.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        max_model_len: int | None = None,
        batch_size: int = 64,
        template_options: Mapping[str, Any] | None = None,
    ):
        if batch_size < 1:
            raise EngineError(f"batch_size must be at least 1, not {batch_size}")
        self._model: Any = model
        self._batch_size = batch_size
        config = unwrapped(model).config
        name = getattr(config, "_name_or_path", "") or "the model"
        limit = max_model_len or getattr(config.get_text_config(decoder=True), "max_position_embeddings", None)
        if limit is None:
            raise EngineError(f"the config of {name} does not say how long a text may be: give max_model_len")
        self._chat = ChatTokenizer(tokenizer, name, limit, template_options)
        self._ends = end_tokens(unwrapped(model), tokenizer)

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
        """See `Rollouts.sample`."""
        how = sampling_of(prompts, n, seeds, max_tokens, temperature)
        if self._model is None:
            raise EngineError("the rollouts are closed")
        groups = GroupsOfRows(len(prompts), n, on_group)
        encoded = groups.encode(prompts, self._chat)
        from rationale_rm.engine.decode import sampling_mode

        order = sorted(encoded, key=lambda index: len(encoded[index]))  # like lengths together: little padding
        step = max(1, self._batch_size // n)
        with sampling_mode(self._model), gathered(self._model):
            for start in range(0, len(order), step):
                chunk = {index: encoded[index] for index in order[start : start + step]}
                self._chunk(chunk, n, how, seeds, groups)
        return groups.complete()

    def _chunk(
        self, prompts: Mapping[int, list[int]], n: int, how: Sampling, seeds: Sequence[int], groups: GroupsOfRows
    ) -> None:
        from rationale_rm.engine.decode import Decoder, Drawn, Row

        indices = list(prompts)
        rows = []
        for place, (index, ids) in enumerate(prompts.items()):
            room = self._chat.room(ids, how)
            rows += [Row(place, replace(how, seed=row_seed(seeds[index], sample)), room) for sample in range(n)]

        def on_row(row: int, drawn: Drawn) -> None:
            place, sample = divmod(row, n)
            groups.add(
                Completion(
                    prompt=indices[place],
                    sample=sample,
                    prompt_ids=tuple(prompts[indices[place]]),
                    token_ids=drawn.token_ids,
                    logprobs=drawn.logprobs,
                    text=self._chat.decode(drawn.token_ids),
                    truncated=not drawn.ended,
                )
            )

        Decoder(unwrapped(self._model), self._ends).run(list(prompts.values()), rows, on_row)

    def sync(self, model: Any) -> None:
        """Samples from `model` from now on; nothing changes where that is the module it samples from already."""
        self._model = model

    def close(self) -> None:
        """Lets go of the module. Closing twice is fine."""
        self._model = None
