"""Who compares the responses of a policy of the synthetic world."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rationale_rm import parse_genrm, world
from rationale_rm.critique import CritiqueSettings
from rationale_rm.engine import HfEngine, Sampling
from rationale_rm.judge import Caller, EngineClient, Limits
from rationale_rm.pairwise import Compared, Comparer, GenrmComparer, ShownPair
from rationale_rm.prompts import genrm_brief
from rationale_rm.types import GenrmStatus, Pair

MAX_TOKENS = 112
"""Tokens of a judgement, as in the recipe tiny-cpu."""
CONTEXT = 1024
"""Tokens of a comparison and its judgement: a policy may write more than the GenRM saw in training."""
AT_ONCE = 256
"""Comparisons that the GenRM reads together."""


def by_verdict(path: Path) -> GenrmComparer:
    """The GenRM in `path`, greedy, by its verdicts."""
    client = EngineClient(HfEngine(path, batch_size=AT_ONCE, max_model_len=CONTEXT), name=f"hf:{path.name}")
    settings = CritiqueSettings(n_reasons=None, max_tokens=MAX_TOKENS)
    return GenrmComparer(Caller(client, limits=Limits(concurrency=AT_ONCE)), style="brief", settings=settings)


class ByReasons:
    """The GenRM in `path`, greedy, by its reasons: the response that more of them speak for is better.

    Its verdict is not looked at. Reasons for either side in equal number, or none that speaks for a side, are a tie.
    """

    def __init__(self, path: Path):
        self._engine = HfEngine(path, batch_size=AT_ONCE, max_model_len=CONTEXT)

    async def __call__(self, pairs: Sequence[ShownPair]) -> list[Compared]:
        """See `Comparer`."""
        asked = [genrm_brief(_pair(pair)).messages for pair in pairs]
        said = self._engine.generate(asked, [Sampling(max_tokens=MAX_TOKENS)] * len(asked))
        read = parse_genrm([answer.text for answer in said])
        compared = []
        for status, reasons in zip(read.status.tolist(), read.reasons, strict=True):
            ahead = sum(map(world.favours, reasons))
            verdict = int(np.clip(ahead, -2, 2))
            failed = None if status == GenrmStatus.OK else f"unreadable: {GenrmStatus(status).name.lower()}"
            compared.append(Compared(verdict=None if failed else verdict, error=failed))
        return compared


async def by_flaws(pairs: Sequence[ShownPair]) -> list[Compared]:
    """The oracle: the response with fewer true flaws is better, much better by two or more."""
    compared = []
    for pair in pairs:
        request = _pair(pair).context[0]["content"]
        ahead = world.find_flaws(request, pair.b).total - world.find_flaws(request, pair.a).total
        compared.append(Compared(verdict=int(np.clip(ahead, -2, 2))))
    return compared


async def by_coin(pairs: Sequence[ShownPair]) -> list[Compared]:
    """Chance: of any two texts always the same one is better, whatever they say and in either order."""
    return [Compared(verdict=1 if _coin(pair.a, pair.b) else -1) for pair in pairs]


def open_judge(reads: str, path: Path | None) -> Comparer:
    """The judge that goes by ``verdict``, ``reasons``, ``flaws`` or a ``coin``; the last two need no model."""
    if reads in WITHOUT_MODEL:
        return WITHOUT_MODEL[reads]
    assert path is not None
    return by_verdict(path) if reads == "verdict" else ByReasons(path)


WITHOUT_MODEL = {"flaws": by_flaws, "coin": by_coin}


def _coin(a: str, b: str) -> bool:
    first, second = sorted((a, b))
    heads = hashlib.sha256(f"{first}|{second}".encode("utf-8", "replace")).digest()[0] % 2 == 0
    return heads == (a == first)


def _pair(pair: ShownPair) -> Pair:
    return Pair(id="", domain="", context=tuple(pair.context), response1=pair.a, response2=pair.b, references=())
