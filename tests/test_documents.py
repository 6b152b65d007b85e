"""Documents survive their way through JSON."""

import json

from rationale_rm.documents import Analysis, Estimate, EvalResult, SampleView

ESTIMATE = Estimate(rule="both_orders", slice="chat", metric="accuracy", value=0.5, low=0.25, high=0.75, n=4, n_total=5)


def through_json(record):
    return type(record).from_dict(json.loads(json.dumps(record.to_dict(), allow_nan=False)))


def test_a_result_comes_back():
    result = EvalResult(
        eval="judgebench",
        model="m",
        manifest={"data": {"files": [{"path": "a", "sha256": "0"}]}},
        estimates=(ESTIMATE, Estimate(metric="accuracy", value=float("nan"), n=0, n_total=5, unavailable="no label")),
        statuses={"ok": 4, "not_answered": 1},
        notes=("one",),
    )
    back = through_json(result)
    assert back.estimates[0] == ESTIMATE
    assert back.estimates[1].value is None
    assert back.manifest == result.manifest
    assert back.statuses == result.statuses
    assert back.notes == ("one",)


def test_an_analysis_comes_back():
    analysis = Analysis(
        analysis="agreement", subject=("a", "b"), manifest={}, estimates=(ESTIMATE,), points=({"x": 0.1, "y": [1]},)
    )
    assert through_json(analysis) == analysis


def test_a_sample_comes_back():
    sample = SampleView(
        id="1#swapped",
        pair_id="1",
        model="m",
        domain="code",
        context=({"role": "user", "content": "<script>\u202e"},),
        response1="a",
        response2="b",
        label="A>B",
        verdict="B>A",
        right=False,
        status="ok",
        swapped=True,
        references=("r",),
        reasons=("s", "t"),
        scores=((0, 1, 0.5),),
        matches=((0, 1, 0.5),),
        rc=0.5,
        classes=("EG", "GS"),
        flaws=((), ("F1", "F4")),
    )
    assert through_json(sample) == sample
