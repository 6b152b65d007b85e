"""Rollouts from the trainer's own module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rationale_rm.engine import EngineError, Generation, Message, Sampling
from rationale_rm.engine.chat import ChatTokenizer
from rationale_rm.engine.chat import check as check_sampling
from rationale_rm.engine.hf import end_tokens
from rationale_rm.rollout.types import Completion, OnGroup, check, row_seed


class HfRollouts:
    """Samples from `model`, a causal model of transformers that may be wrapped by DDP or peft.

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
        check(prompts, n, seeds)
        check_sampling(prompts, [Sampling(max_tokens=max_tokens, temperature=temperature)] * len(prompts))
        if self._model is None:
            raise EngineError("the rollouts are closed")
        groups: list[list[Completion]] = [[] for _ in prompts]

        def complete(index: int, group: list[Completion]) -> None:
            groups[index] = group
            if on_group is not None:
                on_group(index, group)

        encoded: dict[int, list[int]] = {}
        for index, messages in enumerate(prompts):
            ids = self._chat.encode(messages)
            if isinstance(ids, Generation):
                complete(index, [Completion(prompt=index, sample=i, error=ids.error) for i in range(n)])
            else:
                encoded[index] = ids
        from rationale_rm.engine.decode import sampling_mode

        order = sorted(encoded, key=lambda index: len(encoded[index]))  # like lengths together: little padding
        step = max(1, self._batch_size // n)
        with sampling_mode(self._model):
            for start in range(0, len(order), step):
                chunk = {index: encoded[index] for index in order[start : start + step]}
                self._chunk(chunk, n, max_tokens, temperature, seeds, complete)
        return groups

    def _chunk(
        self,
        prompts: Mapping[int, list[int]],
        n: int,
        max_tokens: int,
        temperature: float,
        seeds: Sequence[int],
        complete: OnGroup,
    ) -> None:
        from rationale_rm.engine.decode import Decoder, Drawn, Row

        indices = list(prompts)
        rows = []
        for place, (index, ids) in enumerate(prompts.items()):
            room = self._chat.room(ids, Sampling(max_tokens=max_tokens))
            for i in range(n):
                how = Sampling(max_tokens=room, temperature=temperature, seed=row_seed(seeds[index], i))
                rows.append(Row(place, how, room))
        groups: list[dict[int, Completion]] = [{} for _ in indices]

        def on_row(row: int, drawn: Drawn) -> None:
            place, i = divmod(row, n)
            index = indices[place]
            groups[place][i] = Completion(
                prompt=index,
                sample=i,
                prompt_ids=tuple(prompts[index]),
                token_ids=drawn.token_ids,
                logprobs=drawn.logprobs,
                text=self._chat.decode(drawn.token_ids),
                truncated=not drawn.ended,
            )
            if len(groups[place]) == n:
                complete(index, [groups[place][j] for j in range(n)])

        Decoder(unwrapped(self._model), self._ends).run(list(prompts.values()), rows, on_row)

    def sync(self, model: Any) -> None:
        """Samples from `model` from now on; nothing changes where that is the module it samples from already."""
        self._model = model

    def close(self) -> None:
        """Lets go of the module. Closing twice is fine."""
        self._model = None


def unwrapped(model: Any) -> Any:
    """The causal model of transformers within `model`: without DDP, ``torch.compile`` and peft around it."""
    while True:
        inner = getattr(model, "_orig_mod", None)
        if inner is None and type(model).__name__ in ("DistributedDataParallel", "DataParallel"):
            inner = model.module
        if inner is None and hasattr(model, "peft_config") and hasattr(model, "get_base_model"):
            inner = model.get_base_model()
        if inner is None:
            return model
        model = inner
