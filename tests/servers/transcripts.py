"""What a scripted model reads in a prompt, and what it answers: the same for the same question, whoever asks and when.

A prompt's inserted texts stand behind marker lines ``[#CODE LABEL]`` and end at ``[#CODE end]``. The code that opens a
section is taken from the template's own text, so a marker inside an inserted text opens and closes nothing.
"""

import hashlib
import json
import re
from dataclasses import dataclass

MARKER = re.compile(r"\[#(\S+) ([^\]\n]+)\]")
PLAIN = re.compile(r"^([RS]\d+)[:.] (.*)$", re.MULTILINE)
VERDICTS = ("A>>B", "A>B", "A>B", "A=B", "B>A", "B>A", "B>>A")
LEVELS = ("0",) * 11 + ("0.25",) * 3 + ("0.5",) * 2 + ("0.75",) * 2 + ("1",) * 2
REMARKS = (
    "states the step that the question asks for and shows it on the example",
    "leaves out a condition that the user named",
    "gives a number that does not follow from what it computed before",
    "handles the empty case, where the other one fails",
    "answers in the wrong language for half of the text",
    "invents a source that cannot be found",
    "keeps to the limit of length that was set",
    "contradicts its own first paragraph",
)


@dataclass(frozen=True)
class Prompt:
    """A prompt taken apart."""

    kind: str
    """``metajudge``, ``genrm``, ``decomposition``, ``taxonomy`` or ``other``."""
    items: tuple[tuple[str, str], ...]
    """Label and text of everything that was inserted, in order."""
    template: str
    """What stands outside of the inserted texts."""
    digest: str
    """Tells questions apart; markers have no part in it."""
    n_words: int
    n_cached: int
    """Words of the first of several messages, which many prompts share."""

    def texts(self, letter):
        """The texts whose label is this letter and a number."""
        return [text for label, text in self.items if label[:1] == letter and label[1:].isdigit()]


def read_prompt(messages):
    """Takes apart the messages of a chat request."""
    contents = [_content(message) for message in messages if isinstance(message, dict)]
    items, outside, codes = [], [], []
    for content in contents:
        _read(content, items, outside, codes)
    template = "\n".join(outside)
    if not items:
        items = [(label, text.strip()) for label, text in PLAIN.findall(template)]
    canonical = json.dumps(contents)
    for code in dict.fromkeys(codes):
        canonical = canonical.replace(code, "CODE")
    n_words = [len(content.split()) for content in contents]
    return Prompt(
        kind=_kind(items),
        items=tuple(items),
        template=template,
        digest=hashlib.blake2b(canonical.encode(), digest_size=8).hexdigest(),
        n_words=sum(n_words),
        n_cached=n_words[0] if len(n_words) > 1 else 0,
    )


def _content(message):
    content = message.get("content")
    if isinstance(content, list):
        return "\n".join(part.get("text", "") for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _read(content, items, outside, codes):
    code, label, lines = None, None, []
    for line in content.split("\n"):
        found = MARKER.fullmatch(line)
        if found is None or code not in (None, found[1]):
            (outside if code is None else lines).append(line)
            continue
        if label is not None:
            items.append((label, "\n".join(lines).strip()))
        code, label, lines = found[1], found[2], []
        codes.append(code)
        if label == "end":
            code, label = None, None
    if label is not None:  # a section that is never closed
        items.append((label, "\n".join(lines).strip()))


def _kind(items):
    labels = {label for label, _ in items}
    if any(label.startswith("annotator ") for label in labels):
        return "decomposition"
    if "R1" in labels:
        return "metajudge"
    if {"Response A", "Response B"} <= labels:
        return "taxonomy" if "S1" in labels else "genrm"
    return "other"


def draw(*parts):
    """A number in [0, 1) that follows from the parts."""
    key = "\0".join(map(str, parts)).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big") / 2**64


def pick(choices, *parts):
    """One of the choices, as the parts have it."""
    return choices[int(draw(*parts) * len(choices))]


def answer(prompt):
    """The scripted model's answer."""
    return {
        "metajudge": _metajudge,
        "genrm": _genrm,
        "decomposition": _decomposition,
        "taxonomy": _taxonomy,
        "other": lambda _: "I was given no task that I know.",
    }[prompt.kind](prompt)


def best(reference, reasons):
    """Number of the reason (from 1, 0 for none) that fulfils a human reason best, and the score as text."""
    scores = [pick(LEVELS, "score", reference, reason) for reason in reasons]
    if not scores or max(scores) == "0":
        return 0, "0"
    return scores.index(max(scores)) + 1, max(scores)


def _block(thoughts, lines, prompt):
    block = ["<RESULT_START>", *lines, "<RESULT_END>"]
    return "\n".join(block if "Do not write your thoughts down" in prompt.template else [*thoughts, "", *block])


def _metajudge(prompt):
    reasons = prompt.texts("S")
    found = [best(reference, reasons) for reference in prompt.texts("R")]
    thoughts = [
        f"Human reason {n}: "
        + (f"model reason {s} comes closest." if s else "nothing in the model list makes this point.")
        for n, (s, _) in enumerate(found, 1)
    ]
    return _block(thoughts, [f"- R{n}@S{s}: {score}" for n, (s, score) in enumerate(found, 1)], prompt)


def _genrm(prompt):
    items = dict(prompt.items)
    shown = items["Response A"], items["Response B"]
    asked = re.search(r"exactly (\d+) reason", prompt.template)
    count = int(asked[1]) if asked else 2 + int(draw("count", *shown) * 4)
    reasons = [
        f"{number}. Response {pick('AB', 'side', number, *shown)} {pick(REMARKS, 'remark', number, *shown)} ({number})."
        for number in range(1, count + 1)
    ]
    verdict = rf"\boxed{{{pick(VERDICTS, 'verdict', *shown)}}}"
    lines = ["List of reasons:", *reasons, "Final assessment result:", verdict]
    return _block(["I read both responses against the conversation."], lines, prompt)


def _decomposition(prompt):
    """Claims are sentences of the annotators' reasoning, word by word; what has fewer than four words is left out."""
    sentences = [
        sentence.strip()
        for label, text in prompt.items
        if label.endswith("reasoning")
        for sentence in re.split(r"(?<=[.!?])\s+", " ".join(text.split()))
        if sentence.strip()
    ]
    claims = [sentence for sentence in dict.fromkeys(sentences) if len(sentence.split()) >= 4]
    ignored = [sentence for sentence in dict.fromkeys(sentences) if len(sentence.split()) < 4]
    lines = [f"Claim count: {len(claims)}"]
    lines += [f"C{number}: {claim}" for number, claim in enumerate(claims, 1)] or ["Reason: nothing concrete is left."]
    lines += ["Ignored statements:", *([f'- "{text}" | reason: vague' for text in ignored] or ["- None"])]
    return _block(["I keep what is concrete."], lines, prompt)


def _taxonomy(prompt):
    lines = []
    for number, reason in enumerate(prompt.texts("S"), 1):
        flaws = ", ".join(f"F{flaw}" for flaw in range(1, 8) if draw("flaw", flaw, reason) < 0.1)
        lines.append(f"- S{number}: {pick(('EG', 'EG', 'CG', 'GS'), 'class', reason)} | {flaws or 'none'}")
    return _block(["I read each reason by itself."], lines, prompt)
