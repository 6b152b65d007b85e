"""Judges: who says which model reason fulfils which human reason.

`MetaJudge` asks an LLM through a `Caller`, which is what also GenRM critiques and the decomposition are asked
through: `OpenAIClient` for servers, `EngineClient` for a model in this process. `open_client` and `open_judge` make
them of a text such as ``openai:NAME@URL``.
"""

from rationale_rm.judge.answers import NO_REFERENCES, match_cells, match_results, read_samples
from rationale_rm.judge.cache import Cache, CacheError
from rationale_rm.judge.caller import Answer, Caller, Question
from rationale_rm.judge.client import Client
from rationale_rm.judge.engine_client import EngineClient
from rationale_rm.judge.faults import CallError
from rationale_rm.judge.limits import Limits
from rationale_rm.judge.metajudge import MetaJudge
from rationale_rm.judge.openai_client import OpenAIClient
from rationale_rm.judge.prices import Price, find_price
from rationale_rm.judge.protocol import Judge
from rationale_rm.judge.usage import Usage

__all__ = [
    "NO_REFERENCES",
    "Answer",
    "Cache",
    "CacheError",
    "CallError",
    "Caller",
    "Client",
    "EngineClient",
    "Judge",
    "Limits",
    "MetaJudge",
    "OpenAIClient",
    "Price",
    "Question",
    "Usage",
    "find_price",
    "match_cells",
    "match_results",
    "read_samples",
]
