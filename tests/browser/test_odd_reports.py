"""Names that collide, links of other reports, samples that fail to show, phones."""

from dataclasses import replace
from urllib.parse import urlencode

import pytest
import reports
from browser_pages import make_report


def route(**parts):
    return urlencode({"view": "samples"} | parts)


@pytest.fixture(scope="module")
def odd(folder):
    """Two runs whose names and ids would make one key, and two evaluations that call different pairs by one id."""
    (view,) = reports.samples("m", 1)
    first = replace(view, id="b/c", pair_id="1", text="FIRST", response1="one")
    second = replace(view, id="c", pair_id="1", text="SECOND", response1="another", swapped=True)
    paths = [
        reports.write_eval(folder / "odd-a", "m", [first]),
        reports.write_eval(folder / "odd-b", "m/b", [second], kind="judgebench"),
    ]
    return make_report(paths, folder / "odd.html")


def test_samples_whose_names_join_alike_are_told_apart(open_report, odd):
    page = open_report(odd, route())
    for row, text in ((0, "FIRST"), (1, "SECOND")):
        page.click(f"#row-{row}")
        page.wait_for_function(f"document.querySelector('#sample').textContent.includes('{text}')")
        again = open_report(odd, page.url.partition("#")[2])
        again.wait_for_selector("#sample .facts")
        assert text in again.inner_text("#sample")


def test_pairs_of_two_evaluations_are_two(open_report, odd):
    page = open_report(odd, route(sample="m/b/c"))
    page.wait_for_selector("#sample .facts")
    assert page.locator(".others").count() == 0


def test_rows_say_which_order_was_shown(open_report, odd):
    page = open_report(odd, route())
    assert page.locator(".row", has_text="swapped").count() == 1


def test_a_filter_of_another_report_is_dropped_and_said(open_report, full):
    page = open_report(full, route(run="nosuch", flaw="F9"))
    page.wait_for_selector("#state[data-done=true]")
    assert page.inner_text("#state") == "300 samples; not in this report: run nosuch, flaw F9"
    assert page.input_value("select[name=run]") == ""


def test_a_sample_that_cannot_be_shown_does_not_show_another(open_report, full, folder, views):
    """A chunk that was damaged after the report was written."""
    text = full.read_text()
    start = text.index('id="chunk-0"')
    place = text.index(">", start) + 1 + 400
    damaged = folder / "damaged.html"
    damaged.write_text(text[:place] + "AAAAAAAA" + text[place + 8 :])
    page = open_report(damaged, route(sample="hybrid/00001"))
    page.wait_for_function("document.querySelector('#sample').textContent.includes('cannot be shown')")
    assert views["hybrid"][1].response1 not in page.inner_text("#sample")


def test_on_a_phone_the_sample_takes_the_focus(open_report, full):
    page = open_report(full, route(), viewport={"width": 360, "height": 740})
    page.click(".row >> nth=1")
    page.wait_for_selector("#sample .facts")
    assert page.evaluate("document.activeElement.id") == "sample"


@pytest.mark.parametrize("height", [800, 400])
def test_the_page_ends_where_the_browser_of_samples_ends(open_report, full, height):
    """A long sample scrolls in its own place; the page does not scroll into nothing below it."""
    page = open_report(full, route(sample="hybrid/00001"), viewport={"width": 1280, "height": height})
    page.wait_for_selector("#sample .facts")
    assert page.evaluate("document.querySelector('#sample').scrollHeight > innerHeight / 2")
    assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")


def test_on_paper_each_figure_has_its_numbers(open_report, full):
    page = open_report(full)
    closed = page.locator("figure details:not([open])").count()
    assert closed > 2
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("figure details:not([open])").count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("figure details:not([open])").count() == closed
