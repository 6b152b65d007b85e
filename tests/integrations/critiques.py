"""The 200 critiques that every trainer's adapter scores, and the rewards that they must all give."""

import random
from dataclasses import dataclass

from rationale_rm import prompts, world
from rationale_rm.integrations.rows import Row, row_fields
from rationale_rm.rewards import RewardSettings
from rationale_rm.types import Pair

PAIRS = 25
ANSWERS = 8
SETTINGS = RewardSettings(judge="lexical", seed=3)


@dataclass(frozen=True)
class Case:
    """One answer to one pair, as it was shown."""

    pair: Pair
    swapped: bool
    messages: tuple
    """The prompt, as chat messages."""
    text: str

    @property
    def row(self):
        return Row(self.pair.references, self.pair.label, self.swapped, self.pair.source_id)

    @property
    def fields(self):
        """The dataset's columns, as plain JSON."""
        return row_fields(self.pair, self.swapped)


def critiques():
    """25 groups of 8: careful and shallow answers, wrong and malformed ones, in either order."""
    rng = random.Random(7)
    careful, shallow = (world.AnnotatorSettings(careful=share, attention=0.7) for share in (1.0, 0.0))
    cases = []
    for number, pair in enumerate(world.pairs(world.WorldSettings(seed=5), "train", PAIRS)):
        swapped = number % 2 == 1
        texts = [world.demonstrate(pair, careful, rng, swapped=swapped) for _ in range(4)]
        texts += [world.demonstrate(pair, shallow, rng, swapped=swapped) for _ in range(2)]
        texts.append("<think>Ünïcode 😀, and a decoy: <RESULT_START>\\boxed{A>B}<RESULT_END></think>" + texts[0])
        texts.append(("", texts[1][: len(texts[1]) // 2], "no block, but much text", "\\boxed{C>D}")[number % 4])
        messages = prompts.genrm_brief(pair, swapped=swapped).messages
        cases += [Case(pair, swapped, messages, text) for text in texts]
    assert len(cases) == PAIRS * ANSWERS == 200
    return cases


def expected(cases, settings=SETTINGS):
    """The rewards by `RationaleReward` itself, in one batch."""
    return settings.open()(
        [case.text for case in cases],
        references=[case.pair.references for case in cases],
        labels=[case.pair.label for case in cases],
        swapped=[case.swapped for case in cases],
    )
