"""A training step as a judge sees it: groups of answers about one pair, with authored reasons.

Each group has a human list of 3-7 reasons and eight GenRM answers with five reasons each, some of which are
paraphrases of human ones. Every text is put together by seeded draws from the sentences below.
"""

import random
from dataclasses import dataclass
from typing import Any, Literal

Verdict = Literal[-2, -1, 1, 2]
GROUP = 8
N_REASONS = 5
BOXES = {2: r"\boxed{A>>B}", 1: r"\boxed{A>B}", -1: r"\boxed{B>A}", -2: r"\boxed{B>>A}"}

# (what the human reason says, two ways to say the same); {r} is the response, {n} and {m} numbers, {x} a name.
POINTS = (
    ("Response {r} drops the last {n} items when the input is longer than {m}, since `{x}` stops one step early.",
     "{r} loses {n} items at the end: the loop in `{x}` ends too soon once there are more than {m}.",
     "The bound of the loop in `{x}` makes {r} forget the tail, {n} items in the example with {m}."),
    ("Response {r} exceeds the limit of {m} words that the user set, by about {n} words even without the table.",
     "The user allowed {m} words, and {r} needs roughly {n} more than that.",
     "{r} ignores the limit on length: {m} words were asked for, some {n} too many were written."),
    ("Response {r} gives {n}.{m} as the final value but leaves the unit out, so the result cannot be checked.",
     "The number {n}.{m} in {r} stands without its unit, which the question demands.",
     "{r} ends with a bare {n}.{m}; without a unit that is no answer in physics."),
    ("Response {r} cites the guideline of 19{m}, which the edition named in the question has replaced in section {n}.",
     "The source of {r} is from 19{m} and out of date: section {n} was rewritten since.",
     "{r} rests on a superseded guideline (19{m}) where the user names the new edition."),
    ("Response {r} divides by n instead of n - 1 for the variance of {m} values, so `{x}` comes out too small.",
     "The variance in {r} is biased: with {m} values it must be divided by one less, and `{x}` is wrong.",
     "{r} uses the wrong denominator for a sample of {m}; its `{x}` is therefore too low."),
    ("Response {r} answers in English although the user wrote {n} of {m} sentences, and asked, in Portuguese.",
     "The wrong language: {r} is in English, the request for Portuguese is passed over.",
     "{r} does not keep to Portuguese, in which the user wrote and wants the answer."),
    ("Response {r} calls `{x}` with {n} arguments, but the version in the question takes {m}, so it raises TypeError.",
     "`{x}` does not accept {n} arguments in that version; the code of {r} fails with a TypeError.",
     "The call of `{x}` in {r} cannot run: {m} arguments are needed and {n} are given."),
    ("Response {r} keeps all {n} constraints of the poem, including the {m} syllables of the second line.",
     "In {r} each of the {n} rules for the poem is met, and the second line has its {m} syllables.",
     "{r} counts right: {m} syllables in line two, and none of the {n} constraints is broken."),
    ("Response {r} explains why `{x}` is safe for concurrent use, with an example of {n} threads and {m} writes.",
     "{r} shows with {n} threads that `{x}` can be shared, which the user was worried about.",
     "The worry about threads is taken up by {r}: {m} writes to `{x}`, and nothing is lost."),
    ("Response {r} repeats its introduction almost word for word in paragraph {n}: {m} lines without content.",
     "Paragraph {n} of {r} says again what the introduction said.",
     "{r} is padded: {m} lines of paragraph {n} are the introduction once more."),
    ("Response {r} states that the treaty was signed by {n} countries in 19{m}, while the text given says otherwise.",
     "The count of {n} signatories (19{m}) in {r} contradicts the passage that the user pasted.",
     "{r} gets the treaty wrong: neither 19{m} nor {n} countries is what the text says."),
    ("Response {r} handles the empty input and returns an empty list, where `{x}` of the other raises after {n} calls.",
     "Only {r} thinks of empty input; the other fails in `{x}`.",
     "{r} returns an empty list for no input, as asked, instead of raising in `{x}`."),
)  # fmt: skip
NAMES = ("merge_sorted", "read_rows", "stderr", "parse_date", "flatten", "next_batch", "to_celsius", "retry_call")
GENERIC = (
    "Response {r} is clearer and better structured than the other, and reads fluently throughout its {n} sections.",
    "Response {r} is more accurate and more helpful overall, with {n} good points that a user would value highly.",
    "Response {r} has a friendly and professional tone, and its {n} paragraphs are easy to follow for beginners.",
)
DETAILS = (
    " An expert confirmed it by following the {n} steps with the values given.",
    " The user would have to find that out alone, after {m} minutes of work.",
    " The other response is right in this place (see its step {n}).",
)


@dataclass(frozen=True)
class Step:
    """One step: rows of `GROUP` a group. `right` says whether a verdict agrees with the label."""

    texts: list[str]
    reasons: list[list[str]]
    references: list[list[str]]
    labels: list[int]
    groups: list[int]
    right: list[bool]


def step(n_groups: int, *, share_right: float = 0.75) -> Step:
    """`n_groups` groups; exactly `share_right` of all verdicts are right."""
    rng = random.Random(7)
    n = n_groups * GROUP
    right = [index < round(n * share_right) for index in range(n)]
    rng.shuffle(right)
    made = Step([], [], [], [], [], right)
    for group in range(n_groups):
        points = [_slots(rng, forms) for forms in rng.sample(POINTS, rng.randint(3, 7))]
        references = [_said(point, 0) for point in points]
        label: Verdict = rng.choice((2, 1, -1, -2))
        for member in range(GROUP):
            reasons = _reasons(rng, points)
            agrees = right[group * GROUP + member]
            verdict = rng.choice([v for v in BOXES if (v * label > 0) == agrees])
            made.texts.append(_answer(reasons, BOXES[verdict]))
            made.reasons.append(reasons)
            made.references.append(references)
            made.labels.append(label)
            made.groups.append(group)
    return made


def _slots(rng: random.Random, forms: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "r": rng.choice("12"), "n": rng.randint(2, 19), "m": rng.randint(21, 89), "x": rng.choice(NAMES),
        "forms": forms, "detail": rng.choice(("", *DETAILS)),
    }  # fmt: skip


def _said(point: dict[str, Any], form: int) -> str:
    """Form 0 is the human's, with a detail now and then; the others are a model's, which says A and B."""
    text = point["forms"][form] + ("" if form else point["detail"])
    return text.format(**(point | {"r": {"1": "A", "2": "B"}[point["r"]]} if form else point))


def _reasons(rng: random.Random, points: list[dict[str, Any]]) -> list[str]:
    """Two or three paraphrases of human reasons, the rest other points and generic praise."""
    hits = rng.sample(points, min(len(points), rng.randint(2, 3)))
    said = [_said(point, rng.randint(1, 2)) for point in hits]
    while len(said) < N_REASONS:
        if rng.random() < 0.3:
            said.append(rng.choice(GENERIC).format(r=rng.choice("AB"), n=rng.randint(2, 19)))
        else:
            said.append(_said(_slots(rng, rng.choice(POINTS)), rng.randint(1, 2)))
    rng.shuffle(said)
    return said


def _answer(reasons: list[str], box: str) -> str:
    listed = "\n".join(f"{number}. {reason}" for number, reason in enumerate(reasons, 1))
    return f"<RESULT_START>\nList of reasons:\n{listed}\n\nFinal assessment result: {box}\n<RESULT_END>"
