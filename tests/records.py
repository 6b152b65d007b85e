"""Small records for the tests of the Python layer."""

import json


def pair(**changes):
    """A pair in the public schema; a change to None takes the field out."""
    record = {
        "id": "p1",
        "domain": "code",
        "context": [{"role": "user", "content": "Reverse a list."}],
        "response1": "Use reversed(items).",
        "response2": "Sort it.",
        "human-checklist": ["Response 2 sorts and does not reverse.", "Response 1 is short."],
        "label": "A>B",
    }
    record.update(changes)
    return {key: value for key, value in record.items() if value is not None}


def transcript(verdict="A>B", reasons=("It sorts.", "It is short.")):
    """A GenRM answer in the paper's form."""
    listed = "\n".join(f"{number}. {reason}" for number, reason in enumerate(reasons, 1))
    return (
        f"<think>A = 1?</think>\n<RESULT_START>\nList of reasons:\n{listed}\n"
        f"Final assessment result:\n\\boxed{{{verdict}}}\n<RESULT_END>"
    )


def judge_text(*cells):
    """A MetaJudge answer of (R, S, score) cells."""
    lines = "\n".join(f"- R{reference}@S{reason}: {score}" for reference, reason, score in cells)
    return f"Let me see.\n<RESULT_START>\nScores corresponding to claims:\n{lines}\n<RESULT_END>"


def result(metadata, *texts, status="success", **changes):
    """A line of the authors' MetaJudge script."""
    return {
        "prompt": "…",
        "samples": [{"generated_text": text, "finish_reason": "stop", "usage": {}} for text in texts],
        "status": status,
        "metadata": metadata,
        **changes,
    }


SWAP = {"A>>B": "B>>A", "A>B": "B>A", "A=B": "A=B", "B>A": "A>B", "B>>A": "A>>B"}
MADE_BY = {"command": "test", "seed": 0}


def critiqued(record, verdict="A>B", *, model="m", swapped=False, sample=0, error=None, **changes):
    """A line of ``rationale-rm critique``; `verdict` is about responses 1 and 2, None for an answer without one."""
    name = record["id"] + ("#swapped" if swapped else "") + (f"#{sample}" if sample else "")
    line = {**record, "id": name, "pair_id": record["id"], "swapped": swapped, "sample": sample, "made_by": MADE_BY}
    if error is not None:
        return line | {"status": "error", "error": error}
    shown = SWAP.get(verdict) if swapped else verdict
    answer = {
        f"{model}-checklist": ["It sorts.", "It is short."],
        f"{model}-label": verdict,
        f"{model}-generated_text": transcript(shown or "no idea"),
        f"{model}-status": "ok" if verdict else "bad_verdict",
    }
    return line | answer | {"status": "success"} | changes


def matched(record, *texts, model="m", judge="openai:j@http://127.0.0.1/v1", scores=None, error=None, **changes):
    """A line of ``rationale-rm match`` about a line of `critiqued` or a pair."""
    line = {
        "id": f"{record['id']}/{model}",
        "made_by": MADE_BY,
        "judge": judge,
        "model": model,
        "prompt": None,
        "samples": [{"generated_text": text, "finish_reason": "stop", "usage": {}} for text in texts],
        "status": "success" if error is None else "error",
        "error_message": error,
        "metadata": {name: value for name, value in record.items() if name not in ("made_by", "status", "error")},
        "stand_in": None,
    }
    return line | ({} if scores is None else {"scores": scores}) | changes


def write(path, *rows):
    """Writes JSON Lines; a text row is written as it is."""
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), "utf-8")
    return path
