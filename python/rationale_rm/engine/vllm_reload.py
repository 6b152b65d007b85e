"""What a replacement of vLLM's weights needs that vLLM 0.32 leaves out."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import Any


def forget_half_loaded(model: Any) -> None:
    """Lets go of weights that a replacement has taken in before it failed.

    vLLM keeps them, and the next replacement would load them again and fail in the same way.
    """
    from vllm.model_executor.model_loader.reload.layerwise import get_layerwise_info

    for layer in model.modules():
        info = get_layerwise_info(layer)
        if info.can_load():
            info.loaded_weights.clear()
            info.load_numel = 0


def pack_experts(model: Any) -> None:
    """Brings experts that were replaced into the form of the kernels of a CPU, which vLLM does at the first loading
    alone; elsewhere there is nothing to do.
    """
    from vllm.platforms import current_platform

    if not current_platform.is_cpu():
        return
    from vllm.model_executor.layers.fused_moe.experts.cpu_moe import CPUUnquantizedExperts

    for layer in model.modules():
        kernel = getattr(getattr(layer, "quant_method", None), "moe_kernel", None)
        experts = getattr(kernel, "fused_experts", None)
        if isinstance(experts, CPUUnquantizedExperts):
            experts.process_weights_after_loading(layer)


@contextlib.contextmanager
def quiet_about_rotary() -> Iterator[None]:
    """Without vLLM's warning that rotary embeddings "failed to load": no checkpoint has them."""

    def other(record: logging.LogRecord) -> bool:
        return "RotaryEmbedding" not in record.getMessage()

    logger = logging.getLogger("vllm.model_executor.model_loader.reload.layerwise")
    logger.addFilter(other)
    try:
        yield
    finally:
        logger.removeFilter(other)
