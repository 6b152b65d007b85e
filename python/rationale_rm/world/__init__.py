"""A synthetic judging world: pairs with planted, known flaws, a tempting surface cue, and an exact judge.

Where a trainer or a reward is under test, or there is no data yet: everything is known, seeded and offline.
"""

from rationale_rm.world.annotator import AnnotatorSettings, demonstrate
from rationale_rm.world.flaws import Flaws, find_flaws, has_cue
from rationale_rm.world.generate import pairs
from rationale_rm.world.oracle import OracleJudge, favours
from rationale_rm.world.request import Request, read_request, requests
from rationale_rm.world.responder import ResponderSettings, respond
from rationale_rm.world.settings import SPLITS, Split, WorldSettings

__all__ = [
    "SPLITS",
    "AnnotatorSettings",
    "Flaws",
    "OracleJudge",
    "Request",
    "ResponderSettings",
    "Split",
    "WorldSettings",
    "demonstrate",
    "favours",
    "find_flaws",
    "has_cue",
    "pairs",
    "read_request",
    "requests",
    "respond",
]
