"""Chat messages to tokens and tokens to text, in the same way for every engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rationale_rm.engine.types import EngineError, Generation, Message, Sampling


class ChatTokenizer:
    """Applies the tokenizer's chat template, refuses what leaves no room for an answer.

    `limit` is the context of the model in tokens, prompt and answer together. `template_options` go to the
    template, such as ``{"enable_thinking": False}``.
    """

    def __init__(self, tokenizer: Any, path: str, limit: int, template_options: Mapping[str, Any] | None):
        if not getattr(tokenizer, "chat_template", None):
            raise EngineError(
                f"the tokenizer of {path} has no chat template: an instruction-tuned model is needed, "
                "or a chat_template.jinja in its folder"
            )
        self.limit = limit
        self._tokenizer = tokenizer
        self._options = dict(template_options or {})

    def encode(self, messages: Sequence[Message]) -> list[int] | Generation:
        """The token ids of the prompt, or the answer of a prompt that has none."""
        try:
            encoded = self._tokenizer.apply_chat_template(
                [dict(message) for message in messages],
                add_generation_prompt=True,
                tokenize=True,
                return_dict=True,
                **self._options,
            )
        except Exception as error:  # templates raise what they like: jinja2's errors, TypeError, UnicodeEncodeError
            return failed(f"the chat template refuses the prompt: {type(error).__name__}: {error}")
        ids: list[int] = encoded["input_ids"]
        if len(ids) >= self.limit:
            return failed(f"the prompt has {len(ids)} tokens, the model's context {self.limit}", len(ids))
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """The text of an answer. A character that was cut in its middle is shown as U+FFFD."""
        text: str = self._tokenizer.decode(list(ids), skip_special_tokens=True)
        return text

    def room(self, ids: Sequence[int], sampling: Sampling) -> int:
        """How many tokens an answer can have."""
        return min(sampling.max_tokens, self.limit - len(ids))


def failed(error: str, prompt_tokens: int = 0) -> Generation:
    """A prompt without an answer."""
    return Generation(text="", finish_reason="error", error=error, prompt_tokens=prompt_tokens)


def check(prompts: Sequence[Sequence[Message]] | Sequence[Sequence[int]], sampling: Sequence[Sampling]) -> None:
    """Raises `EngineError` for what no engine can do."""
    if len(prompts) != len(sampling):
        raise EngineError(f"{len(prompts)} prompts but {len(sampling)} samplings")
    for index, drawn in enumerate(sampling):
        if drawn.max_tokens < 1:
            raise EngineError(f"sampling {index}: max_tokens must be at least 1, not {drawn.max_tokens}")
        if not 0 <= drawn.temperature < float("inf"):
            raise EngineError(f"sampling {index}: temperature must be finite and at least 0, not {drawn.temperature}")
        if not 0 < drawn.top_p <= 1:
            raise EngineError(f"sampling {index}: top_p must be in (0, 1], not {drawn.top_p}")
