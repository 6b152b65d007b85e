"""A sentence-transformers model as vectors of texts and of their words."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rationale_rm.extras import MissingExtraError
from rationale_rm.judge.hub import cached_folder, can_be_loaded, check_folder, unreachable
from rationale_rm.judge.local.words import MAX_CHARACTERS

Spans = Sequence[tuple[int, int]]
_WIDTHS: Final = (16, 24, 32, 48, 64, 96, 128, 192, 256, 512)
"""Tokens that a batch is padded to. Batches have few fixed shapes, so that the numbers of a text do not depend on the
texts that are encoded with it."""
_CPU_TOKENS: Final = 256
_GPU_TOKENS: Final = 8192
"""Tokens of a batch, texts times width. A batch that is not full is filled up, so on a CPU large ones cost more than
they save."""
_DEPTH: Final = 2 / 3
"""How deep the middle layer lies whose words are compared: the fourth of six."""

Half = NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class Encoded:
    """A text as vectors of length d, each of norm 1; half precision, which also hides noise of the last bits."""

    sentence: Half
    """(d,) what the model gives the text as a whole."""
    middle: Half
    """(words, d) the words in a middle layer; zeros for words that the model did not read."""
    last: Half
    """(words, d) the words in the last layer."""

    @property
    def n_bytes(self) -> int:
        """Memory of the three."""
        return self.sentence.nbytes + self.middle.nbytes + self.last.nbytes


class Encoder:
    """Loads the model, by hub name or from a folder, on the best device there is; keeps what it encoded."""

    def __init__(self, model: str, *, device: str | None = None, cache_bytes: int = 256 << 20):
        check_folder(model)
        try:
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            raise MissingExtraError("sentence-transformers", "embed") from error
        known = can_be_loaded(model)
        try:
            # By its folder: asked by name, peft would look for adapters on the hub even so.
            folder = model if known else cached_folder(model)
            self._model = SentenceTransformer(folder, device=device, local_files_only=not known)
        except OSError:
            if known:
                raise
            raise unreachable(model) from None
        transformer = self._model[0]
        if not hasattr(transformer, "auto_model") or not getattr(self._model.tokenizer, "is_fast", False):
            raise ValueError(f"{model} is no sentence-transformers model with a transformer and a fast tokenizer")
        self._transformer: Any = transformer.auto_model
        self._transformer.eval()
        self._tokenizer: Any = self._model.tokenizer
        longest = min(self._model.max_seq_length or _WIDTHS[-1], _WIDTHS[-1])
        self._widths = (*(width for width in _WIDTHS if width < longest), longest)
        self._cache: OrderedDict[str, Encoded] = OrderedDict()
        self._cache_bytes = cache_bytes
        self.held = 0
        """Bytes of the vectors kept."""
        self._tokens = _CPU_TOKENS if self.device == "cpu" else _GPU_TOKENS
        self._lock = threading.Lock()

    @property
    def device(self) -> str:
        """Where the model lies."""
        return str(self._model.device)

    def encode(self, texts: Mapping[str, Spans]) -> dict[str, Encoded]:
        """Each text with the character spans of its words → its vectors.

        A text must come with the same spans whenever it comes.
        """
        with self._lock:
            found = {text: self._cache[text] for text in texts if text in self._cache}
            for text in found:
                self._cache.move_to_end(text)
            missing = {text: spans for text, spans in texts.items() if text not in found}
            for text, encoded in self._encode(missing):
                found[text] = encoded
                self._keep(text, encoded)
            return found

    def _keep(self, text: str, encoded: Encoded) -> None:
        self._cache[text] = encoded
        self.held += encoded.n_bytes + len(text)
        while self.held > self._cache_bytes and self._cache:
            old, dropped = self._cache.popitem(last=False)
            self.held -= dropped.n_bytes + len(old)

    def _encode(self, texts: Mapping[str, Spans]) -> Iterable[tuple[str, Encoded]]:
        names = list(texts)
        if not names:
            return
        tokens = self._tokenizer(
            [name[:MAX_CHARACTERS] for name in names],
            truncation=True,
            max_length=self._widths[-1],
            return_offsets_mapping=True,
            return_attention_mask=False,
        )
        lengths = [len(ids) for ids in tokens["input_ids"]]
        for width in self._widths:
            narrower = max((other for other in self._widths if other < width), default=0)
            rows = [row for row, length in enumerate(lengths) if narrower < max(length, 1) <= width]
            size = max(1, self._tokens // width)
            for start in range(0, len(rows), size):
                part = rows[start : start + size]
                ids = [tokens["input_ids"][row] for row in part]
                sentences, middle, last = self._forward(ids, width, size)
                for at, row in enumerate(part):
                    spans, offsets = texts[names[row]], tokens["offset_mapping"][row]
                    yield (
                        names[row],
                        Encoded(
                            _unit(sentences[at]).astype(np.float16),
                            _pool(middle[at], offsets, spans),
                            _pool(last[at], offsets, spans),
                        ),
                    )

    def _forward(self, ids: Sequence[Sequence[int]], width: int, size: int) -> tuple[Any, Any, Any]:
        import torch

        pad = self._tokenizer.pad_token_id or 0
        block = torch.full((size, width), pad, dtype=torch.long)
        mask = torch.zeros((size, width), dtype=torch.long)
        mask[:, 0] = 1  # a row of nothing but padding would be NaN in some attention kernels
        for row, tokens in enumerate(ids):
            block[row, : len(tokens)] = torch.tensor(tokens, dtype=torch.long)
            mask[row, : len(tokens)] = 1
        device = self._model.device
        with torch.inference_mode():
            block, mask = block.to(device), mask.to(device)
            layers = self._transformer(input_ids=block, attention_mask=mask, output_hidden_states=True).hidden_states
            features: dict[str, Any] = {"token_embeddings": layers[-1], "attention_mask": mask, "input_ids": block}
            for module in list(self._model)[1:]:
                features = module(features)
            depth = round((len(layers) - 1) * _DEPTH)
            kept = (features["sentence_embedding"], layers[depth], layers[-1])
            sentence, middle, last = (tensor[: len(ids)].float().cpu().numpy() for tensor in kept)
        return sentence, middle, last


def _pool(layer: NDArray[np.float32], offsets: Sequence[tuple[int, int]], spans: Spans) -> Half:
    """(words, d): the mean of the tokens that overlap each word, of norm 1; zeros for a word without any."""
    out = np.zeros((len(spans), layer.shape[1]), dtype=np.float32)
    at = 0
    real = [(position, start, end) for position, (start, end) in enumerate(offsets) if end > start]
    for row, (start, end) in enumerate(spans):
        while at < len(real) and real[at][2] <= start:
            at += 1
        stop = at
        while stop < len(real) and real[stop][1] < end:
            stop += 1
        if stop > at:
            out[row] = _unit(layer[[position for position, *_ in real[at:stop]]].mean(axis=0))
    return out.astype(np.float16)


def _unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    unit: NDArray[np.float32] = vector / max(float(np.linalg.norm(vector)), 1e-12)
    return unit
