"""Cohen's kappa, precision and recall, against counts by hand and a second computation."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rationale_rm.analysis import Sampling
from rationale_rm.analysis.taxonomy import Labels
from rationale_rm.analysis.taxonomy.agreement import agreement, kappa

from benches import reason_labels

DOCS = Path(__file__).parent.parent / "docs"
HOW = Sampling(n_resamples=200, seed=1)


def slow_kappa(first, second):
    """From the weighted form, 1 - sum(w o) / sum(w e) with weight 1 off the diagonal, as scikit-learn computes it."""
    names = sorted({*first, *second})
    n = len(first)
    off = expected = 0.0
    for a in names:
        for b in names:
            if a != b:
                off += sum(x == a and y == b for x, y in zip(first, second, strict=True))
                expected += first.count(a) * second.count(b) / n
    return 1 - off / expected


def test_kappa_by_hand():
    # 20 yes-yes, 5 yes-no, 10 no-yes, 15 no-no: p_o = 0.7, p_e = 0.5 · 0.6 + 0.5 · 0.4 = 0.5
    first = [True] * 25 + [False] * 25
    second = [True] * 20 + [False] * 5 + [True] * 10 + [False] * 15
    assert kappa(first, second) == pytest.approx(0.4)
    assert kappa(["a", "b", "c"], ["a", "b", "c"]) == 1
    assert kappa([True, False], [False, True]) == -1
    assert np.isnan(kappa(["a", "a"], ["a", "a"]))
    with pytest.raises(ValueError, match="one length"):
        kappa([1], [1, 2])


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=2, max_size=40))
def test_kappa_equals_its_weighted_form(pairs):
    first, second = (list(column) for column in zip(*pairs, strict=True))
    if len({*first, *second}) > 1 and not (len(set(first)) == 1 and set(first) == set(second)):
        assert kappa(first, second) == pytest.approx(slow_kappa(first, second), abs=1e-12)


def labels(draw):
    return [
        Labels(draw.choice(["EG", "CG", "GS"]), tuple(sorted(set(draw.choice(["F1", "F4"], 2))))) for _ in range(60)
    ]


def test_estimates_are_kappa_precision_and_recall_of_each_label():
    draw = np.random.default_rng(0)
    ours, theirs = labels(draw), labels(draw)
    clusters = np.repeat(np.arange(20), 3)
    found = {(one.slice, one.metric): one for one in agreement(ours, theirs, clusters, HOW, rule="x")}
    groups = [[one.group for one in given] for given in (ours, theirs)]
    assert found["class", "kappa"].value == pytest.approx(kappa(*groups))
    for name in ("EG", "CG", "GS", "F1", "F4"):
        a, b = ([name == one.group or name in one.flaws for one in given] for given in (ours, theirs))
        both = sum(x and y for x, y in zip(a, b, strict=True))
        assert found[name, "kappa"].value == pytest.approx(kappa(a, b))
        assert found[name, "precision"].value == pytest.approx(both / sum(a))
        assert found[name, "recall"].value == pytest.approx(both / sum(b))
        assert (found[name, "precision"].n, found[name, "recall"].n, found[name, "kappa"].n) == (sum(a), sum(b), 60)
    for one in found.values():
        if one.value is not None:
            assert one.low <= one.value <= one.high
            assert one.rule == "x"
    for metric in ("kappa", "precision", "recall"):  # a label that neither gives
        assert found["F7", metric].value is None
        assert found["F7", metric].unavailable


def test_intervals_draw_clusters():
    """Copies of the same answers in each cluster are no more answers."""
    draw = np.random.default_rng(0)
    ours, theirs = labels(draw), labels(draw)
    alone = agreement(ours, theirs, np.arange(60), HOW)
    copied = agreement(ours * 4, theirs * 4, np.tile(np.arange(60), 4), HOW)
    assert [one.low for one in copied] == pytest.approx([one.low for one in alone], nan_ok=True)
    apart = agreement(ours * 4, theirs * 4, np.arange(240), HOW)
    assert apart[0].high - apart[0].low < copied[0].high - copied[0].low


def test_lengths_have_to_agree():
    with pytest.raises(ValueError, match="all three"):
        agreement([Labels("EG", ())], [], np.arange(1), HOW)


def test_the_page_has_the_measured_figures():
    held = json.loads((DOCS / "experiments" / "reason_labels.json").read_text("utf-8"))
    page = (DOCS / "taxonomy.md").read_text("utf-8")
    assert "\n".join(reason_labels.table(held)) in page


def test_the_measured_figures_are_those_of_the_rules():
    """That nobody changes a rule and keeps the figures."""
    held = json.loads((DOCS / "experiments" / "reason_labels.json").read_text("utf-8"))
    found = reason_labels.measure("dev", None).to_dict()
    assert [(one["slice"], one["metric"]) for one in held["dev"]["estimates"]] == [
        (one["slice"], one["metric"]) for one in found["estimates"]
    ]
    for was, now in zip(held["dev"]["estimates"], found["estimates"], strict=True):
        assert now["value"] == pytest.approx(was["value"])
