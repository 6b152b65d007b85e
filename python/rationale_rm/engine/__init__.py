"""The one wrapper of what generates text in this process: vLLM and transformers."""

from rationale_rm.engine.hf import HfEngine
from rationale_rm.engine.types import Engine, EngineError, Generation, Message, Sampling
from rationale_rm.engine.vllm import VllmEngine

__all__ = [
    "Engine",
    "EngineError",
    "Generation",
    "HfEngine",
    "Message",
    "Sampling",
    "VllmEngine",
]
