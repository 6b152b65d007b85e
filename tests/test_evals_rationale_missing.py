"""What is missing of a rationale evaluation, and what must not be mixed into it."""

from evals_helpers import result_of
from judging import run
from rationale_rm import metrics
from rationale_rm.data import read_pairs
from rationale_rm.documents import OVERALL
from rationale_rm.evals import rationale, rationale_samples
from records import critiqued, judge_text, matched, pair, write
from test_evals_rationale import FULL, table


def test_joint_does_not_lean_on_a_failing_judge(tmp_path):
    """Half right with RC 1, half wrong: whoever the judge fails on, what is left is as half."""
    lines = []
    for number in range(8):
        right, failed = number % 2 == 0, number < 4
        answer = critiqued(pair(id=f"p{number}", label="A>B"), "A>B" if right else "B>A")
        lines.append(matched(answer, *([] if failed else [judge_text(*FULL)])))
    found, _ = table(read_pairs([str(write(tmp_path / "m.jsonl", *lines))]))
    joint = found["", OVERALL, "joint"]
    assert (joint.value, joint.n, joint.n_total) == (0.5, 4, 8)


def test_joint_of_a_judge_that_saw_right_verdicts_alone(tmp_path):
    """A gate: no judge was due for the wrong ones, which are 0."""
    lines = [
        matched(critiqued(pair(id="a", label="A>B"), "A>B"), judge_text(*FULL)),
        critiqued(pair(id="b", label="A>B"), "B>A"),
    ]
    found, _ = table(read_pairs([str(write(tmp_path / "m.jsonl", *lines))]))
    assert (found["", OVERALL, "joint"].value, found["", OVERALL, "joint"].n) == (0.5, 2)
    lines.append(matched(critiqued(pair(id="c", label="A>B"), "B>A"), judge_text(*FULL)))  # no gate: b is a hole
    found, _ = table(read_pairs([str(write(tmp_path / "m.jsonl", *lines))]))
    assert (found["", OVERALL, "joint"].value, found["", OVERALL, "joint"].n) == (0.5, 2)
    assert found["", OVERALL, "joint"].n_total == 3


def test_an_order_of_which_every_call_failed_is_missing(tmp_path):
    lines = []
    for name in "abc":
        lines.append(critiqued(pair(id=name), "A>B"))
        lines.append(critiqued(pair(id=name), error="timeout: gone", swapped=True))
    loaded = read_pairs([str(write(tmp_path / "a.jsonl", *lines))])
    found, judged = table(loaded)
    assert judged.orders == (False, True)
    assert (found["", OVERALL, "oa"].n, found["", OVERALL, "oa"].n_total) == (3, 6)
    assert rationale_samples.statuses(judged) == {"ok": 3, "not_answered": 3}
    assert {view.error for view in rationale_samples.views(judged)} == {None, "timeout: gone"}
    known = read_pairs([str(write(tmp_path / "b.jsonl", lines[0]))]).pairs
    live = rationale.judged(known, None, metrics.Settings(), orders=(False, True))
    assert [swapped for _, swapped in live.missing()] == [True]


def test_other_recorded_answers_are_not_pooled_with_the_judged_ones(tmp_path, env):
    options = ["--judge", "lexical", "--n-resamples", "20"]
    first = write(tmp_path / "a.jsonl", *(critiqued(pair(id=f"a{n}"), "A>B") for n in range(3)))
    second = write(tmp_path / "b.jsonl", *(critiqued(pair(id=f"b{n}"), "A>B") for n in range(2)))
    run("eval", "rationale", tmp_path / "run", "--recorded", first, *options, env=env)
    kept = (tmp_path / "run" / "result.json").read_bytes()
    (tmp_path / "run" / "result.json").unlink()  # as a kill leaves it
    done = run("eval", "rationale", tmp_path / "run", "--recorded", second, *options, code=1, env=env)
    assert "other settings (recorded:" in done.stderr
    run("eval", "rationale", tmp_path / "run", "--recorded", first, *options, env=env)
    assert (tmp_path / "run" / "result.json").read_bytes() == kept
    assert result_of(tmp_path / "run")["manifest"]["n_pairs"] == 3
