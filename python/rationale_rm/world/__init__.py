"""A synthetic judging world: pairs with planted, known flaws, a tempting surface cue, and an exact judge.

Where a trainer or a reward is under test, or there is no data yet: everything is known, seeded and offline.
"""

from rationale_rm.world.annotator import AnnotatorSettings, demonstrate
from rationale_rm.world.generate import pairs
from rationale_rm.world.oracle import OracleJudge, favours
from rationale_rm.world.settings import SPLITS, Split, WorldSettings

__all__ = ["SPLITS", "AnnotatorSettings", "OracleJudge", "Split", "WorldSettings", "demonstrate", "favours", "pairs"]
