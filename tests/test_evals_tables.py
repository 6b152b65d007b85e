"""The terminal's tables: coverage is in sight wherever it is not that of the row."""

from rationale_rm.cli import render
from rationale_rm.cli.eval import tables
from rationale_rm.documents import Estimate, EvalResult


def test_each_figure_shows_a_coverage_of_its_own():
    found = (
        Estimate(metric="oa", value=0.5, low=0.4, high=0.6, n=8, n_total=8),
        Estimate(metric="rc", value=0.9, low=0.8, high=1.0, n=2, n_total=8),
        Estimate(metric="joint", value=None, n=0, n_total=8),
        Estimate(metric="f1", value=0.7, low=0.6, high=0.8, n=8, n_total=8),
    )
    result = EvalResult(eval="rationale", model="m", manifest={}, estimates=found, statuses={})
    text = render.to_text(tables.eval_result(result, ("/oa", "/rc", "/joint", "/f1")))
    assert text.count("n 2/8") == 1
    assert text.count("n 0/8") == 1
    assert "n 8/8" not in text
    assert "8/8" in text
