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


def test_a_filter_that_has_no_field_here_is_dropped(open_report, folder, views):
    """A report without labels shows no class filter: a link with one must not hide all samples."""
    plain = [replace(view, classes=(), flaws=()) for view in views["hybrid"][:20]]
    file = make_report([reports.write_eval(folder / "plain", "hybrid", plain)], folder / "plain.html")
    page = open_report(file, route(**{"class": "EG"}))
    page.wait_for_selector("#state[data-done=true]")
    assert page.inner_text("#state") == "20 samples; not in this report: class EG"
    for rc in ("0x0..0x1", " ..0.1e9", "-1..NaN"):
        page = open_report(file, route(rc=rc))
        page.wait_for_selector("#state[data-done=true]")
        assert page.inner_text("#state") == "20 samples"


def test_what_a_link_names_in_vain_is_said_and_unsaid(open_report, full):
    """In a page that is open already, whose filters the link leaves as they were."""
    page = open_report(full, route())
    page.wait_for_selector("#state[data-done=true]")
    page.evaluate("location.hash = '#view=samples&run=other'")
    page.wait_for_function("document.querySelector('#state').textContent.includes('not in this report: run other')")
    page.evaluate("location.hash = '#view=samples&sample=hybrid/00001'")
    page.wait_for_selector("#sample .facts")
    assert page.inner_text("#state") == "300 samples"


def test_a_link_with_words_and_a_sample_marks_its_row(open_report, full, views):
    word = views["hybrid"][140].text.split()[0]
    page = open_report(full, route(q=word, sample="hybrid/00140"))
    page.wait_for_selector("#state[data-done=true]")
    page.wait_for_selector(".row[aria-selected=true]")
    assert page.get_attribute("#list", "aria-activedescendant").startswith("row-")


@pytest.fixture(scope="module")
def damaged(full, folder):
    """A chunk that was damaged after the report was written."""
    text = full.read_text()
    start = text.index('id="chunk-0"')
    place = text.index(">", start) + 1 + 400
    file = folder / "damaged.html"
    file.write_text(text[:place] + "AAAAAAAA" + text[place + 8 :])
    return file


def test_a_search_that_fails_says_so(open_report, damaged):
    page = open_report(damaged, route(q="loops"))
    page.wait_for_function("document.querySelector('#state').textContent.includes('cannot be searched')")


def test_an_index_that_cannot_be_read_is_said(open_report, full, folder):
    text = full.read_text()
    place = text.index('id="index">') + 411
    file = folder / "no-index.html"
    file.write_text(text[:place] + "AAAAAAAA" + text[place + 8 :])
    page = open_report(file, route())
    page.wait_for_function("document.querySelector('#state').textContent.includes('cannot be read')")


def test_a_sample_that_cannot_be_shown_does_not_show_another(open_report, damaged, views):
    page = open_report(damaged, route(sample="hybrid/00001"))
    page.wait_for_function("document.querySelector('#sample').textContent.includes('cannot be shown')")
    assert views["hybrid"][1].response1 not in page.inner_text("#sample")


def test_the_focus_stays_in_the_sample(open_report, full):
    page = open_report(full, route(sample="hybrid/00077"))
    page.wait_for_selector(".others a")
    page.focus(".others a")
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('#sample .where').textContent.startsWith('outcome-only')")
    page.wait_for_function("document.activeElement.id === 'sample'")


def test_figures_are_where_they_were(open_report, full):
    page = open_report(full)
    page.wait_for_selector("body[data-ready=true]")
    page.evaluate("scrollTo(0, 900)")
    for back in (lambda: page.keyboard.press("f"), page.go_back):
        page.keyboard.press("s")
        page.wait_for_selector("#samples:not([hidden])")
        back()
        page.wait_for_selector("#figures:not([hidden])")
        assert page.evaluate("scrollY") == 900


def test_a_choice_right_after_typing_keeps_the_words(open_report, full):
    page = open_report(full, route())
    page.fill("#filters input[name=q]", "loops")
    page.select_option("#filters select[name=verdict]", "right")
    page.go_back()
    page.wait_for_function("document.querySelector('#filters select[name=verdict]').value === ''")
    assert page.input_value("#filters input[name=q]") == "loops"


def test_ids_that_show_alike_are_two_samples(open_report, folder):
    (view,) = reports.samples("m", 1)
    views = [replace(view, id="a\u202e", text="FIRST"), replace(view, id="a⟦U+202E⟧", text="SECOND")]
    page = open_report(make_report([reports.write_eval(folder / "alike", "m", views)], folder / "alike.html"), route())
    for row, text in ((0, "FIRST"), (1, "SECOND")):
        page.click(f"#row-{row}")
        page.wait_for_function(f"document.querySelector('#sample').textContent.includes('{text}')")


def test_a_long_text_is_parted_between_characters(open_report, folder):
    (view,) = reports.samples("m", 1)
    for name, text in (("faces", "x" + "\U0001f600" * 30_000), ("blank", "\u3164\u034f\u2800" + "W " * 30_000)):
        one = replace(view, text=text)
        file = make_report([reports.write_eval(folder / name, "m", [one])], folder / f"{name}.html")
        page = open_report(file, route(sample=f"m/{view.id}"))
        body = page.locator(".part .text", has_text=text[20:24]).last
        shown = text.replace("\u3164", "⟦U+3164⟧").replace("\u034f", "⟦U+034F⟧").replace("\u2800", "⟦U+2800⟧")
        assert shown.startswith(body.evaluate("(one) => one.textContent"))
        page.locator("button", has_text="Show all").last.click()
        assert page.locator(".part .text:has(.part-of-text)").evaluate("(one) => one.textContent") == shown


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


@pytest.mark.parametrize("width", [718, 1040])
def test_paper_holds_the_figures_numbers(open_report, full, width):
    """A4, upright and across: every table is open and none is cut off."""
    page = open_report(full, viewport={"width": width, "height": 900})
    closed = page.locator("figure details:not([open])").count()
    assert closed > 2
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("figure details:not([open])").count() == 0
    if width > 1000:
        over = page.evaluate(
            """[...document.querySelectorAll('figure table, .card table')].filter((one) => one.getClientRects().length
                && one.getBoundingClientRect().right > one.closest('figure, .card').getBoundingClientRect().right)
                .map((one) => one.getAttribute('aria-label'))"""
        )
        assert over == []
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("figure details:not([open])").count() == closed


def test_paper_shows_matches_in_words(open_report, full):
    """Lines are drawn for the widths of the screen."""
    page = open_report(full, route(sample="hybrid/00001"))
    page.wait_for_selector(".lines path")
    page.emulate_media(media="print")
    assert page.locator(".lines").evaluate("(one) => getComputedStyle(one).visibility") == "hidden"
    assert "matches S" in page.inner_text("#sample") or "no match" in page.inner_text("#sample")


def test_responses_say_who_wrote_them(open_report, folder):
    """In Arena-Hard the judge's name is not that of either response."""
    (view,) = reports.samples("alpha", 1)
    one = replace(view, authors=("<b>o3", "alpha"), label=None)
    file = make_report([reports.write_eval(folder / "arena", "alpha", [one])], folder / "arena.html")
    page = open_report(file, route(sample=f"alpha/{view.id}"))
    page.wait_for_selector("#sample .facts")
    assert page.locator(".response h3").all_inner_texts() == [
        "Response 1 by <b>o3, the model's A", "Response 2 by alpha, the model's B",
    ]  # fmt: skip
