"""transformers in this process: any causal model, without a server's speed."""

from __future__ import annotations

import gc
import os
import secrets
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any

from rationale_rm.engine.chat import ChatTokenizer, check
from rationale_rm.engine.types import EngineError, Generation, Message, Sampling
from rationale_rm.extras import MissingExtraError


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
        try:
            import torch
            import transformers
        except ModuleNotFoundError as error:
            if error.name not in ("torch", "transformers"):
                raise
            raise MissingExtraError(error.name, "train") from None
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
        self._model: Any = transformers.AutoModelForCausalLM.from_pretrained(
            name, dtype=dtype or ("float32" if self._device.type == "cpu" else "auto"), **options
        )
        self._model.to(self._device).eval()
        self._ends = _end_tokens(self._model, tokenizer)
        # Files of models carry samplings of their own (top_k, repetition_penalty), which must not join ours.
        self._model.generation_config = transformers.GenerationConfig()

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
        import torch
        import transformers

        width = max(map(len, prompts))
        pad = self._ends[0]  # masked before the prompt, cut off after the answer: any token will do
        ids = torch.tensor([[pad] * (width - len(prompt)) + prompt for prompt in prompts], device=self._device)
        mask = torch.tensor(
            [[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts], device=self._device
        )
        rooms = [self._chat.room(*row) for row in zip(prompts, sampling, strict=True)]
        limits = torch.tensor(rooms, device=self._device)
        draws = RowDraws(sampling)

        def at_limit(tokens: Any, _: Any) -> Any:
            return limits <= tokens.shape[1] - width

        output = self._opened().generate(
            input_ids=ids,
            attention_mask=mask,
            generation_config=transformers.GenerationConfig(
                do_sample=False,  # `draws` draws, and leaves one token to take
                max_new_tokens=max(rooms),
                eos_token_id=self._ends,
                pad_token_id=pad,
            ),
            logits_processor=transformers.LogitsProcessorList([draws]),
            stopping_criteria=transformers.StoppingCriteriaList([at_limit]),
        )
        values = torch.stack(draws.logprobs, dim=1).tolist()
        rows = zip(output[:, width:].tolist(), values, prompts, rooms, strict=True)
        return [self._generation(*row, logprobs) for row in rows]

    def _generation(
        self, tokens: list[int], values: list[float], prompt: list[int], room: int, logprobs: bool
    ) -> Generation:
        ended = next((at for at, token in enumerate(tokens[:room]) if token in self._ends), None)
        count = room if ended is None else ended + 1
        return Generation(
            text=self._chat.decode(tokens[:count]),
            finish_reason="length" if ended is None else "stop",
            prompt_tokens=len(prompt),
            completion_tokens=count,
            token_ids=tuple(tokens[:count]),
            logprobs=tuple(values[:count]) if logprobs else (),
        )


class RowDraws:
    """A logits processor of transformers that draws each row's next token with the row's own sampling.

    It leaves a score for the token drawn alone, so that taking the likeliest takes it, and keeps its
    log-probability: `logprobs` holds a tensor [rows] for each step.
    """

    def __init__(self, sampling: Sequence[Sampling]):
        import torch
        import transformers

        self.logprobs: list[Any] = []
        self._torch = torch
        self._rows = [
            (how.temperature, None if how.top_p == 1 else transformers.TopPLogitsWarper(how.top_p), _generator(how))
            for how in sampling
        ]

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """Scores [rows, vocabulary] in, of which one a row is left."""
        torch = self._torch
        tokens, values = [], []
        for (temperature, nucleus, generator), row in zip(self._rows, scores.float(), strict=True):
            logits = row / temperature if temperature else row
            if temperature and nucleus is not None:
                logits = nucleus(None, logits[None])[0]
            logprobs = logits.log_softmax(-1)
            if temperature:
                # The largest of p/E with E exponential is a draw from p; on the CPU, where generators are alike.
                noise = torch.empty(len(logits)).exponential_(generator=generator)
                token = (logprobs.cpu().exp() / noise).argmax()
            else:
                token = logits.argmax()
            token = token.to(scores.device)
            tokens.append(token)
            values.append(logprobs[token])
        self.logprobs.append(torch.stack(values))
        chosen = torch.stack(tokens)[:, None]
        return torch.full_like(scores, float("-inf")).scatter(1, chosen, 0.0)


def _generator(sampling: Sampling) -> Any:
    import torch

    seed = secrets.randbits(63) if sampling.seed is None else sampling.seed
    return torch.Generator().manual_seed(seed)


def _end_tokens(model: Any, tokenizer: Any) -> list[int]:
    """The tokens that end an answer: the tokenizer's, and those that the model's files name."""
    named = model.generation_config.eos_token_id
    ends = {*(named if isinstance(named, (list, tuple)) else [named]), tokenizer.eos_token_id} - {None}
    if not ends:
        raise EngineError("neither tokenizer nor model names a token that ends an answer")
    return sorted(ends)
