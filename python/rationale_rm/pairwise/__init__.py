"""A pairwise judge as the reward of a policy: groups of responses in, a score for each out.

`PairwiseReward` plays a tournament in each group, every pair in both orders, and makes scores of the results.
`open_genrm` opens a GenRM as the judge; any async function of questions is one too (`Comparer`).
"""

from rationale_rm.pairwise.comparer import Compared, Comparer, GenrmComparer, ShownPair, open_genrm
from rationale_rm.pairwise.records import PairwiseBatch, PlayedPair
from rationale_rm.pairwise.reward import ComparisonFailureError, PairwiseReward

__all__ = [
    "Compared",
    "Comparer",
    "ComparisonFailureError",
    "GenrmComparer",
    "PairwiseBatch",
    "PairwiseReward",
    "PlayedPair",
    "ShownPair",
    "open_genrm",
]
