"""Models and judges named by a text, as on the command line."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import Final

from rationale_rm.judge.client import Client
from rationale_rm.judge.engine_client import EngineClient
from rationale_rm.judge.hub import check
from rationale_rm.judge.openai_client import DEFAULT_KEY_VARIABLE, OpenAIClient

FORMS: Final = "openai:NAME@URL (several URLs with commas), openai:NAME, vllm:PATH or hf:PATH"
LOCAL: Final = ("lexical", "embedding")
"""Judges that need no LLM."""
EMBEDDING_MODEL: Final = "sentence-transformers/all-MiniLM-L6-v2"


@dataclass(frozen=True, slots=True)
class Spec:
    """A model by kind (``openai``, ``vllm``, ``hf``, ``lexical``, ``embedding``) and name."""

    kind: str
    name: str
    urls: tuple[str, ...] = ()

    @property
    def is_local_judge(self) -> bool:
        """Whether it matches without an LLM."""
        return self.kind in LOCAL


def parse_spec(text: str, *, judge: bool = False) -> Spec:
    """Reads ``openai:NAME@URL,URL``, ``openai:NAME``, ``vllm:PATH``, ``hf:PATH`` and, for a judge, ``lexical``,
    ``embedding`` and ``embedding:MODEL``. Raises `ValueError` that names the forms there are.
    """
    kind, colon, rest = text.partition(":")
    if judge and kind == "lexical" and not colon:
        return Spec("lexical", "lexical")
    if judge and kind == "embedding":
        return Spec("embedding", rest or EMBEDDING_MODEL)
    if kind in ("vllm", "hf") and rest:
        return Spec(kind, rest)
    if kind == "openai" and rest:
        at = rest.find("@http")
        name, urls = (rest, "") if at < 0 else (rest[:at], rest[at + 1 :])
        if at < 0 and "@" in name:  # without a scheme it would be taken for a name, and OpenAI's server for meant
            raise ValueError(
                f"openai:{name.partition('@')[0]}@… names no server: write @http://HOST:PORT/v1 or @https://…"
            )
        if name and (at < 0 or urls):
            return Spec("openai", name, tuple(url.strip() for url in urls.split(",") if url.strip()))
    forms = f"{FORMS}, lexical or embedding[:MODEL]" if judge else FORMS
    raise ValueError(f"{_without_password(text)!r} names no {'judge' if judge else 'model'}: expected {forms}")


def open_client(spec: Spec, *, key_variable: str = DEFAULT_KEY_VARIABLE) -> Client:
    """The client of a model. Loading an engine takes a while; a missing library raises what names its extra, and a
    missing folder an `OSError`.
    """
    if spec.kind == "openai":
        return OpenAIClient(spec.name, spec.urls, key_variable=key_variable)
    from rationale_rm import engine

    if spec.kind in ("vllm", "hf"):
        check(spec.name)
    if spec.kind == "vllm":
        return EngineClient(engine.VllmEngine(spec.name), name=f"vllm:{spec.name}", model=model_of(spec))
    if spec.kind == "hf":
        return EngineClient(engine.HfEngine(spec.name), name=f"hf:{spec.name}", model=model_of(spec))
    raise ValueError(f"{spec.kind}:{spec.name} is a judge without a model")


def model_of(spec: Spec) -> str:
    """What a model's answers are kept under. A folder may hold another checkpoint by the next run, and the same one
    may be named by another path: it goes by the names, sizes and times of its files.
    """
    if spec.kind == "openai" or not os.path.isdir(spec.name):
        return spec.name
    with os.scandir(spec.name) as entries:
        found = [(entry.name, entry.stat().st_size, entry.stat().st_mtime_ns) for entry in entries if entry.is_file()]
    digest = hashlib.sha256(repr(sorted(found)).encode("utf-8", "surrogateescape")).hexdigest()
    return f"{os.path.basename(os.path.realpath(spec.name))}#{digest[:16]}"


def _without_password(text: str) -> str:
    """What a message may repeat of a text that may hold credentials."""
    return f"{text.partition(':')[0]}:…" if "@" in text or "//" in text else text
