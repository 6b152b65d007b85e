"""A simulated Arena-Hard in upstream's own files."""

from arena_simulator import BASELINE, JUDGE, Simulator
from rationale_rm.evals.arena_hard.games import BASELINES
from rationale_rm.types import VERDICT_TEXTS
from records import write

QUALITY = ("poor", "fair", "fine")
"""Of answers, worst first; the judge of `verdict_of` reads it."""


def simulators(strengths, **changes):
    """One for each category, of different sizes."""
    return {
        "hard_prompt": Simulator(strengths, **{"n_questions": 20, "category": "hard_prompt", "seed": 1, **changes}),
        "creative_writing": Simulator(
            strengths, **{"n_questions": 12, "category": "creative_writing", "seed": 2, **changes}
        ),
    }


def answer_line(uid, model, text, style):
    """A line of model_answer/MODEL.jsonl."""
    return {
        "uid": uid,
        "model": model,
        "messages": [{"role": "user", "content": "p"}, {"role": "assistant", "content": {"answer": text}}],
        "metadata": {
            "token_len": style.length,
            "header_count": {"h1": style.headers},
            "list_count": {"ordered": style.lists},
            "bold_count": {"**": style.bold},
        },
    }


def judgment_line(uid, category, model, first, second, judge=JUDGE):
    """A line of model_judgment/JUDGE/MODEL.jsonl, of two levels in favour of the model; None is a null score."""
    shown = (None if first is None else VERDICT_TEXTS[-first], None if second is None else VERDICT_TEXTS[second])
    return {
        "uid": uid,
        "category": category,
        "judge": judge,
        "model": model,
        "baseline": BASELINES[category],
        "games": [{"score": score, "judgment": {"answer": f"It is [[{score}]]."}} for score in shown],
    }


def write_benchmark(folder, strengths, **changes):
    """``question.jsonl``, ``model_answer`` and ``model_judgment/judge`` in `folder`. Ids are CATEGORY/NUMBER, and a
    text says whose answer it is and how good.
    """
    questions, answers, judgments = [], {}, {}
    for category, simulator in simulators(strengths, **changes).items():
        held = simulator.answers()
        levels = {}
        for one in simulator.games(held):
            levels.setdefault((one.model, one.uid), [None, None])[one.model_first] = one.level
        for uid in held[BASELINE]:
            name = f"{category}/{uid}"
            questions.append({"uid": name, "category": category, "subcategory": "x", "prompt": f"Do {name}."})
        for model, own in held.items():
            called = BASELINES[category] if model == BASELINE else model
            rank = QUALITY[1 + (strengths.get(model, 0.0) > 0) - (strengths.get(model, 0.0) < 0)]
            for uid, answer in own.items():
                name = f"{category}/{uid}"
                text = f"A {rank} answer of {called} to {name}."
                answers.setdefault(called, []).append(answer_line(name, called, text, answer.recorded_style))
                if model != BASELINE:
                    line = judgment_line(name, category, model, *levels[model, uid])
                    judgments.setdefault(model, []).append(line)
    folder.mkdir()
    write(folder / "question.jsonl", *questions)
    for kind, lines in (("model_answer", answers), ("model_judgment/judge", judgments)):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for number, held in enumerate(lines.values()):
            write(folder / kind / f"{number}.jsonl", *held)
    return folder
