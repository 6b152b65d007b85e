"""`PairwiseReward` over a GenRM in this process: one that knows the form of an answer, and one that knows nothing."""

import math

import numpy as np
import pytest
from rationale_rm import parse_genrm, prompts
from rationale_rm.critique import CritiqueSettings
from rationale_rm.engine import HfEngine, Sampling
from rationale_rm.judge import Limits, loop
from rationale_rm.pairwise import ComparisonFailureError, PairwiseReward, open_genrm
from rationale_rm.types import Pair
from rationale_rm.world import WorldSettings, pairs
from training import one_thread

SETTINGS = CritiqueSettings(n_reasons=None, max_tokens=128)
PATIENT = Limits(timeout=600.0)


def test_a_trained_genrm_ranks_groups(started):
    """Verdicts are those of the model, asked by hand in either order; the answers come a round at a time."""
    groups = pairs(WorldSettings(seed=3), "test", 4)
    rows = [(pair.context, text) for pair in groups for text in (pair.response1, pair.response2, "It rhymes.")]
    comparer = open_genrm(f"hf:{started}", style="brief", settings=SETTINGS, limits=PATIENT)
    with one_thread():
        reward = PairwiseReward(comparer, schedule="round_robin", max_failure_rate=1)
        batch = reward([context for context, _ in rows], [text for _, text in rows])
        assert batch.n_asked == batch.n_round_robin == 12
        assert batch.n_answered > 6
        loop.run(reward.close())
        with HfEngine(str(started)) as engine:
            for played in batch.played[:3]:
                for turned in (False, True):
                    first, second = (rows[row] for row in (played.first, played.second))
                    shown = Pair(
                        id="", domain="", context=first[0], response1=first[1], response2=second[1], references=()
                    )
                    prompt = prompts.genrm_brief(shown, swapped=turned)
                    (answer,) = engine.generate([prompt.messages], [Sampling(max_tokens=128)])
                    parsed = parse_genrm([answer.text])
                    verdict = int(parsed.verdict[0]) * (-1 if turned else 1) if parsed.status[0] == 0 else None
                    assert played.verdicts[turned] == verdict
    for row, error in enumerate(batch.errors):
        assert math.isnan(batch.score[row]) == (error is not None)


def test_a_model_that_knows_nothing_is_a_failure_and_no_tie(tiny_model_path):
    settings = CritiqueSettings(n_reasons=None, max_tokens=8)
    comparer = open_genrm(f"hf:{tiny_model_path}", settings=settings, limits=PATIENT)
    with one_thread():
        reward = PairwiseReward(comparer)
        with pytest.raises(ComparisonFailureError, match="unreadable") as caught:
            reward(["Which is best?"] * 4, ["One.", "Two.", "Three.", "Four."])
        loop.run(reward.close())
    assert np.isnan(caught.value.batch.score).all()
