"""The sample browser: filters against a Python oracle, search, links, matches, keys."""

import re
from urllib.parse import urlencode

import pytest
import reports
from browser_pages import make_report


def route(**parts):
    return urlencode({"view": "samples"} | parts)


def count(page):
    page.wait_for_selector("#state[data-done=true]")
    return int(re.match(r"[\d,]+", page.inner_text("#state")).group().replace(",", ""))


def searched(view):
    parts = [message["content"] for message in view.context]
    parts += [view.id, view.pair_id, view.text or "", view.response1, view.response2, *view.references, *view.reasons]
    return "\n".join(parts).lower()


FILTERS = {
    "none": ({}, lambda view: True),
    "run": ({"run": "hybrid"}, lambda view: view.model == "hybrid"),
    "domain": ({"domain": "code"}, lambda view: view.domain == "code"),
    "right": ({"verdict": "right"}, lambda view: view.right is True),
    "wrong": ({"verdict": "wrong"}, lambda view: view.right is False),
    "neither": ({"verdict": "none"}, lambda view: view.right is None),
    "status": ({"status": "no_verdict"}, lambda view: view.status == "no_verdict"),
    "flaw": ({"flaw": "F4"}, lambda view: any("F4" in flaws for flaws in view.flaws)),
    "class": ({"class": "GS"}, lambda view: "GS" in view.classes),
    "rc": ({"rc": "0.1..0.3"}, lambda view: view.rc is not None and 0.1 <= round(view.rc, 4) <= 0.3),
    "rc from": ({"rc": "0.2.."}, lambda view: view.rc is not None and round(view.rc, 4) >= 0.2),
    "search": ({"q": "Loops UNITS"}, lambda view: all(word in searched(view) for word in ("loops", "units"))),
    "search nothing": ({"q": "nowhere-to-be-found"}, lambda view: False),
    "together": (
        {"run": "hybrid", "verdict": "right", "rc": "..0.25", "domain": "stem", "q": "tests"},
        lambda view: view.model == "hybrid" and view.right is True and view.rc is not None and view.rc <= 0.25
        and view.domain == "stem" and "tests" in searched(view),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FILTERS)
def test_filters_leave_what_the_oracle_leaves(open_report, full, views, name):
    given, oracle = FILTERS[name]
    page = open_report(full, route(**given))
    expected = sum(oracle(view) for found in views.values() for view in found)
    assert count(page) == expected
    assert name in ("search nothing",) or expected > 0


def test_controls_filter_and_the_back_button_undoes(open_report, full, views):
    page = open_report(full, route())
    page.select_option("select[name=domain]", "code")
    code = sum(view.domain == "code" for found in views.values() for view in found)
    assert count(page) == code
    page.select_option("select[name=verdict]", "wrong")
    assert count(page) < code
    page.go_back()
    assert count(page) == code
    assert page.input_value("select[name=verdict]") == ""
    page.click("#clear")
    assert count(page) == 300


def test_sorting_puts_samples_without_rc_last(open_report, full, views):
    known = sorted(view.rc for found in views.values() for view in found if view.rc is not None)
    for order, first in (("rc", known[0]), ("-rc", known[-1])):
        page = open_report(full, route(sort=order))
        shown = page.inner_text(".row >> nth=0 >> .rc span:last-child")
        assert float(f"0{shown}" if shown.startswith(".") else shown) == pytest.approx(first, abs=0.006)
        page.focus("#list")
        page.keyboard.press("End")
        page.wait_for_selector("#sample .facts")
        assert "not answered" in page.inner_text("#sample .facts")


def test_a_deep_link_opens_its_sample(open_report, full, views):
    view = views["hybrid"][77]
    page = open_report(full, route(sample="hybrid/00077"))
    page.wait_for_selector("#sample .facts")
    text = page.inner_text("#sample")
    for part in (
        view.context[0]["content"],
        view.response1,
        view.response2,
        view.text,
        *view.references,
        *view.reasons,
    ):
        assert part in text
    assert page.locator(".row[aria-selected=true]").count() == 1
    page.click(".others a")
    page.wait_for_function("document.querySelector('#sample .where').textContent.startsWith('outcome-only')")
    assert "sample=outcome-only%2F00077" in page.url
    page.go_back()
    page.wait_for_function("document.querySelector('#sample .where').textContent.startsWith('hybrid')")


def test_a_link_to_no_sample_says_so(open_report, full):
    page = open_report(full, route(sample="hybrid/none"))
    assert "no such sample" in page.inner_text("#sample")


def test_lines_join_the_matched_reasons(open_report, full, views):
    view = next(view for view in views["hybrid"] if len(view.matches) >= 2)
    page = open_report(full, route(sample=f"hybrid/{view.id}"))
    page.wait_for_selector(".lines path.chosen", state="attached")  # a level line has no height
    drawn = page.evaluate(
        """() => [...document.querySelectorAll('.lines path.chosen')].map((path) => {
            const svg = path.ownerSVGElement.getBoundingClientRect();
            const length = path.getTotalLength();
            const [from, to] = [path.getPointAtLength(0), path.getPointAtLength(length)];
            const at = (side, point) => [...document.querySelectorAll(`li[data-side=${side}]`)].findIndex((item) => {
                const box = item.getBoundingClientRect();
                const y = point.y + svg.top;
                const x = side === 'R' ? box.right - svg.left : box.left - svg.left;
                return y >= box.top && y <= box.bottom && Math.abs(x - point.x) < 2;
            });
            return [at('R', from), at('S', to)];
        })"""
    )
    assert sorted(map(tuple, drawn)) == sorted(match[:2] for match in view.matches)
    dashed = page.locator(".lines path:not(.chosen)").count()
    assert dashed == sum(cell[2] > 0 for cell in view.scores) - sum(match[2] > 0 for match in view.matches)
    for reference, reason, score in view.matches:
        words = page.inner_text(f"li[data-side=R][data-place='{reference}'] .match")
        assert words == f"matches S{reason + 1}, score {f'{score:.2f}'.removeprefix('0')}"
        assert f"matches R{reference + 1}" in page.inner_text(f"li[data-side=S][data-place='{reason}'] .match")
    for place, (label, flaws) in enumerate(zip(view.classes, view.flaws, strict=True)):
        tags = page.locator(f"li[data-side=S][data-place='{place}'] :is(.class, .flaw)").all_inner_texts()
        assert tags == [label, *flaws]


def test_searched_words_are_marked_in_the_sample(open_report, full, views):
    view = next(view for view in views["hybrid"] if "loops" in (view.text or ""))
    page = open_report(full, route(q="LOOPS", sample=f"hybrid/{view.id}"))
    page.wait_for_function("CSS.highlights.get('found')?.size > 0")
    marked = page.evaluate("[...CSS.highlights.get('found')].map((range) => range.toString())")
    texts = [*(one["content"] for one in view.context), view.response1, view.response2, view.text]
    assert set(marked) == {"loops"}
    assert len(marked) == sum(text.count("loops") for text in (*texts, *view.references, *view.reasons))
    page.fill("input[name=q]", "")
    page.wait_for_function("CSS.highlights.get('found').size === 0")


def test_only_rows_in_sight_are_elements(open_report, full):
    page = open_report(full, route())
    assert page.locator(".row").count() < 40
    page.evaluate("document.getElementById('list').scrollTop = 1e6")
    page.wait_for_selector(".row[aria-posinset='300']")
    assert page.locator(".row").count() < 40


def test_keys(open_report, full):
    page = open_report(full)
    page.keyboard.press("s")
    assert page.is_visible("#samples")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.wait_for_selector(".row[aria-posinset='2'][aria-selected=true]")
    page.keyboard.press("k")
    page.wait_for_selector(".row[aria-posinset='1'][aria-selected=true]")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "sample"
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.id") == "list"
    assert "sample=" not in page.url
    page.keyboard.press("ArrowDown")
    page.wait_for_selector(".row[aria-selected=true]")
    page.keyboard.press("/")
    page.keyboard.type("jsk?")  # letters are text within a field
    assert page.input_value("input[name=q]") == "jsk?"
    assert not page.is_visible("#help")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    assert page.is_visible("#help")
    page.keyboard.press("Escape")
    assert not page.is_visible("#help")
    page.keyboard.press("f")
    assert page.is_visible("#figures")


def test_a_report_without_samples_says_zero(open_report, folder):
    page = open_report(make_report([reports.agreement(folder / "alone.json")], folder / "alone.html"), route())
    assert page.inner_text("#state") == "0 samples"
