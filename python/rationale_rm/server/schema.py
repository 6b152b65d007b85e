"""What goes over the wire: the types that requests are decoded into and answers encoded from.

The OpenAPI document is made of them (`openapi`), so that it says what the decoder does. A column has one entry a row;
null stands for what is not known, and `errors` says why. Unknown fields are refused: a misspelt option must not be
taken for its default.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct, field

Level = Annotated[int, Meta(ge=-2, le=2, description="A verdict: +2 (response 1 much better) to -2, 0 a tie.")]
Share = Annotated[float, Meta(ge=0, le=1)]
Index = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Rank = Annotated[int, Meta(ge=-1, le=2**31 - 1)]
Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Cell = tuple[Index, Rank, Share]
"""Human reason, model reason (both from 0; -1 names none), how far the one fulfils the other."""
AnsweredCell = Annotated[
    list[float], Meta(min_length=3, max_length=3, description="[human reason, model reason, score], both from 0.")
]
"""A `Cell` in an answer. schemathesis cannot check tuples there, so its document says less than it could."""
Texts = list[str]


class _Request(Struct, forbid_unknown_fields=True, gc=False):
    pass


class RewardsRequest(_Request):
    """Answers of a GenRM, to be rewarded."""

    texts: Annotated[list[str | None], Meta(description="The answers as generated; null is one that never came.")]
    references: Annotated[list[Texts], Meta(description="The human reasons of each row's pair.")]
    labels: Annotated[list[Level | None], Meta(description="The human preference; null where there is none.")]
    groups: Annotated[
        list[Int64] | None, Meta(description="Answers to one prompt share a number. Default: one group.")
    ] = None
    swapped: Annotated[
        list[bool] | None, Meta(description="Whether the pair was shown as (response 2, response 1). Default: no.")
    ] = None
    lengths: Annotated[
        list[Int64] | None, Meta(description="Tokens of each answer, where the reward punishes long ones.")
    ] = None
    ids: Annotated[
        Texts | None, Meta(description="Names of the answers, by which audited ones are drawn. Default: their texts.")
    ] = None


class RewardsAnswer(Struct, gc=False):
    """`RewardBatch` in columns."""

    reward: list[float | None]
    advantage: list[float | None]
    outcome: list[float | None]
    rationale: Annotated[
        list[float | None], Meta(description="The rationale term; null where the gate kept a row from the judge.")
    ]
    rc: list[float | None]
    verdict: Annotated[list[Level | None], Meta(description="In terms of response 1 and 2.")]
    status: Annotated[Texts, Meta(description="How the answer was read; ok, or what is wrong with it.")]
    group: list[int]
    judged: list[bool]
    gated: list[bool]
    audit_weight: list[float]
    errors: Annotated[list[str | None], Meta(description="Why something is not known; null where nothing is missing.")]
    judge: str


class _Judged(_Request, kw_only=True):
    swapped: Annotated[
        list[bool] | None, Meta(description="Whether the pair was shown as (response 2, response 1). Default: no.")
    ] = None
    judge_answers: Annotated[
        list[Texts] | None,
        Meta(description="Recorded MetaJudge transcripts, one or several samples a row: the server asks no judge."),
    ] = None
    entries: Annotated[
        list[list[Cell] | None] | None,
        Meta(description="Recorded cells, instead of transcripts; null where the judge gave no answer."),
    ] = None


class ScoreRequest(_Judged, kw_only=True):
    """Answers of a GenRM, to be scored by all measures."""

    texts: Annotated[list[str | None], Meta(description="The answers as generated; null is one that never came.")]
    references: Annotated[list[Texts], Meta(description="The human reasons of each row's pair.")]
    labels: Annotated[list[Level | None] | None, Meta(description="The human preference, for the outcome.")] = None


class ScoreAnswer(Struct, gc=False):
    """Verdict, outcome and the scores of the reasons, in columns."""

    verdict: list[Level | None]
    status: Texts
    outcome: list[float | None]
    rc: Annotated[list[float | None], Meta(description="Rationale Consistency (Eq. 2).")]
    precision: list[float | None]
    f1: list[float | None]
    ap: Annotated[list[float | None], Meta(description="Average precision (Eq. 3).")]
    soft_ap: list[float | None]
    n_references: list[int]
    n_reasons: list[int]
    matches: Annotated[list[list[AnsweredCell] | None], Meta(description="The one-to-one matching (Eq. 1).")]
    errors: list[str | None]
    judge: str


class MatchRequest(_Judged, kw_only=True):
    """Human reasons and model reasons, to be matched."""

    references: list[Texts]
    reasons: Annotated[list[Texts], Meta(description="The model's reasons, most important first.")]


class MatchAnswer(Struct, gc=False):
    """What the judge said, and the matching."""

    cells: Annotated[list[list[AnsweredCell] | None], Meta(description="What the judge said; null without an answer.")]
    matches: Annotated[list[list[AnsweredCell] | None], Meta(description="The one-to-one matching (Eq. 1).")]
    total: Annotated[list[float | None], Meta(description="The sum of matched scores.")]
    errors: list[str | None]
    judge: str


class RemoteRequest(_Request):
    """OpenRLHF's remote reward protocol."""

    query: Annotated[Texts, Meta(description="Prompt and response as decoded, special tokens included.")]
    prompts: Texts
    labels: Annotated[
        Texts,
        Meta(
            description='JSON objects: {"references": ["…"], "label": 2 to -2, a verdict\'s spelling or null, '
            '"swapped": false, "pair_id": "…"}; the last two may be missing.'
        ),
    ]


class RemoteLogs(Struct, gc=False):
    """Numbers for OpenRLHF's log (`integrations.scoring.answer_figures`): `scored` is the weight of an answer in curves
    of RC, 0 where its reasons were not judged, and the last two are weighted by it.
    """

    outcome: list[float]
    malformed: list[float]
    judged: list[float]
    unanswered: list[float]
    scored: list[float]
    scored_rationale: list[float]
    scored_rc: list[float]


class RemoteAnswer(Struct, gc=False):
    """OpenRLHF's remote reward protocol."""

    rewards: list[float]
    scores: list[float]
    extra_logs: RemoteLogs


class ProblemAnswer(Struct, gc=False):
    """Why a request was refused."""

    error: Annotated[str, Meta(description="A word for programs.")]
    message: str


class Health(Struct, gc=False):
    """Whether the server takes requests."""

    status: str = field(default="ok")


TYPES: tuple[Any, ...] = (
    RewardsRequest,
    RewardsAnswer,
    ScoreRequest,
    ScoreAnswer,
    MatchRequest,
    MatchAnswer,
    RemoteRequest,
    RemoteAnswer,
    ProblemAnswer,
    Health,
)
