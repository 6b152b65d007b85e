"""transformers in this process: any causal model, without a server's speed."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any

from rationale_rm.engine.chat import ChatTokenizer, check
from rationale_rm.engine.quiet import quiet
from rationale_rm.engine.types import EngineError, Generation, Message, Sampling
from rationale_rm.extras import needs


class HfEngine:
    """A chat model in transformers. It cannot constrain its output: `Sampling.regex` is ignored.

    `path` is a folder or a name that transformers knows. `max_model_len` bounds prompt and answer together, in
    tokens (default: what the model was trained for). `device` defaults to the accelerator if there is one, `dtype` to
    the model's own there and to float32 on a CPU. Up to `batch_size` prompts of like length run together, padded on
    the left. `options` go to ``AutoModelForCausalLM.from_pretrained``.

    Each answer is drawn with a random generator of its own, so that a seed gives the same draws in any batch; only
    rounding, which padding can change in the last digit, may tip a draw.
    """

    constrains = False

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        max_model_len: int | None = None,
        dtype: str | None = None,
        device: str | None = None,
        batch_size: int = 16,
        template_options: Mapping[str, Any] | None = None,
        **options: Any,
    ):
        with needs("train", "torch", "transformers"):
            import torch
            import transformers
        if batch_size < 1:
            raise EngineError(f"batch_size must be at least 1, not {batch_size}")
        accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
        self._device = torch.device(device) if device else accelerator or torch.device("cpu")
        self._batch_size = batch_size
        self._lock = threading.Lock()
        name = os.fspath(path)
        tokenizer: Any = transformers.AutoTokenizer.from_pretrained(name)
        config = transformers.AutoConfig.from_pretrained(name)
        limit = max_model_len or getattr(config, "max_position_embeddings", None)
        if limit is None:
            raise EngineError(f"the config of {name} does not say how long a text may be: give max_model_len")
        self._chat = ChatTokenizer(tokenizer, name, limit, template_options)
        dtype = dtype or ("float32" if self._device.type == "cpu" else "auto")
        with quiet():
            self._model: Any = transformers.AutoModelForCausalLM.from_pretrained(name, dtype=dtype, **options)
        self._model.to(self._device).eval()
        self._ends = end_tokens(self._model, tokenizer)

    @property
    def max_model_len(self) -> int:
        """Tokens that prompt and answer may have together."""
        return self._chat.limit

    def generate(
        self, prompts: Sequence[Sequence[Message]], sampling: Sequence[Sampling], *, logprobs: bool = False
    ) -> list[Generation]:
        """One answer for each prompt, in their order (see `Engine.generate`)."""
        check(prompts, sampling)
        with self._lock:
            self._opened()
            encoded = [self._chat.encode(messages) for messages in prompts]
            answers = {index: one for index, one in enumerate(encoded) if isinstance(one, Generation)}
            rows = [(index, one) for index, one in enumerate(encoded) if isinstance(one, list)]
            rows.sort(key=lambda row: len(row[1]))  # like lengths together: little padding
            for start in range(0, len(rows), self._batch_size):
                batch = rows[start : start + self._batch_size]
                drawn = [sampling[index] for index, _ in batch]
                answered = self._batch([ids for _, ids in batch], drawn, logprobs)
                answers.update(zip((index for index, _ in batch), answered, strict=True))
        return [answers[index] for index in range(len(prompts))]

    def apply_model(self, function: Callable[[Any], Any]) -> list[Any]:
        """Runs `function` on the torch module; a list of its one result."""
        with self._lock:
            return [function(self._opened())]

    def load_weights(self, weights: Iterable[tuple[str, Any]]) -> None:
        """Replaces weights in place; names and shapes are those of the transformers model."""
        with self._lock:
            missing = self._opened().load_state_dict(dict(weights), strict=False)
        if missing.unexpected_keys:
            raise EngineError(f"the model has no weights named {', '.join(missing.unexpected_keys[:5])}")

    def close(self) -> None:
        """Gives the model's memory back. Closing twice is fine."""
        import torch

        with self._lock:
            self._model = None
            gc.collect()
            if self._device.type == "cuda":
                torch.cuda.empty_cache()

    def __enter__(self) -> HfEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _opened(self) -> Any:
        if self._model is None:
            raise EngineError("the engine is closed")
        return self._model

    def _batch(self, prompts: list[list[int]], sampling: list[Sampling], logprobs: bool) -> list[Generation]:
        from rationale_rm.engine.decode import Decoder, Drawn, Row

        places: dict[tuple[int, ...], int] = {}
        of_row = [places.setdefault(tuple(prompt), len(places)) for prompt in prompts]
        order = sorted(range(len(prompts)), key=of_row.__getitem__)
        rows = [Row(of_row[at], sampling[at], self._chat.room(prompts[at], sampling[at])) for at in order]
        answers: dict[int, Generation] = {}

        def on_row(row: int, drawn: Drawn) -> None:
            index = order[row]
            answers[index] = Generation(
                text=self._chat.decode(drawn.token_ids),
                finish_reason="stop" if drawn.ended else "length",
                prompt_tokens=len(prompts[index]),
                completion_tokens=len(drawn.token_ids),
                token_ids=drawn.token_ids,
                logprobs=drawn.logprobs if logprobs else (),
            )

        Decoder(self._opened(), self._ends).run(list(places), rows, on_row)
        return [answers[index] for index in range(len(prompts))]


def end_tokens(model: Any, tokenizer: Any) -> list[int]:
    """The tokens that end an answer: the tokenizer's, and those that the model's files name."""
    named = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    ends = {*(named if isinstance(named, (list, tuple)) else [named]), tokenizer.eos_token_id} - {None}
    if not ends:
        raise EngineError("neither tokenizer nor model names a token that ends an answer")
    return sorted(ends)
