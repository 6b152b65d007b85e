"""The page as a whole: silent, sealed, readable in both themes, on a phone, on paper, and without eyes."""

import re
from pathlib import Path

import pytest

SECTIONS = ("outcome", "training", "reasons", "analyses", "scores", "runs")
HERE = Path(__file__).parent
CONTRAST = (HERE / "contrast.js").read_text("utf-8")
NAMELESS = (HERE / "nameless.js").read_text("utf-8")
SAMPLE = "view=samples&sample=hybrid/00001"


def test_every_section_is_there_and_silent(open_report, full):
    page = open_report(full)
    assert page.locator("#figures > section").evaluate_all("(all) => all.map((one) => one.id)") == list(SECTIONS)
    assert page.locator(".drawing svg").count() >= 5 + 4 + 2 + 1 + 1
    policy = page.get_attribute("meta[http-equiv]", "content")
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy


def test_the_policy_stops_what_it_is_to_stop(open_report, full):
    """Were a text to become markup after all, it could do nothing."""
    page = open_report(full)
    refused = page.evaluate("try { document.body.innerHTML = '<b>x</b>'; 'taken' } catch (error) { error.name }")
    assert refused == "TypeError"
    blocked = page.evaluate(
        """async () => {
            const seen = [];
            document.addEventListener('securitypolicyviolation', (event) => seen.push(event.effectiveDirective));
            const image = document.createElement('img');
            image.src = 'http://127.0.0.1:9/x.png';
            document.body.append(image);
            const script = document.createElement('script');
            script.append(document.createTextNode('window.harmed = 1'));
            document.body.append(script);
            await fetch('http://127.0.0.1:9/').catch(() => null);
            await new Promise((done) => setTimeout(done, 200));
            image.remove();
            return seen;
        }"""
    )
    assert {"img-src", "connect-src"} <= set(blocked)
    assert any(one.startswith(("script-src", "require-trusted-types")) for one in blocked)
    assert page.evaluate("window.harmed") is None
    # These refusals are what the test wanted to see on the console.
    page.wait_for_timeout(100)
    open_report.expect(page, r"Content Security Policy|TrustedHTML|Trusted")


def test_numbers_of_the_documents_are_on_the_page(open_report, full):
    page = open_report(full)
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    scores = page.inner_text("#scores")
    assert "n = 95 of 100" in scores  # coverage beside each score
    assert "Parse failures" in scores
    assert re.search(r"\.800\s+\.750 to \.850", scores)
    assert "RM-Bench" in scores
    assert "not answered" not in page.inner_text("#scores table >> nth=0")
    assert "F4 single-sided praise" in page.inner_text("#reasons")
    assert "R² .980" in page.inner_text("#analyses")
    assert "pairs.jsonl" in page.inner_text("#runs")


def test_marks_say_their_figures(open_report, full):
    page = open_report(full)
    titles = page.locator("#outcome .drawing title").all_text_contents()
    assert "hybrid, evaluation: OA .800 (n = 95 of 100), RC .300 (n = 95 of 100)" in titles


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("route", ["", SAMPLE])
def test_contrast(open_report, full, scheme, route):
    page = open_report(full, route, color_scheme=scheme)
    if route:
        page.wait_for_selector("#sample .facts")
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    seen, low = page.evaluate(CONTRAST)
    assert seen > 50
    assert low == []


def test_the_toggle_goes_through_the_themes(open_report, full):
    page = open_report(full, color_scheme="light")
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    page.click("#theme")
    assert page.evaluate(background) == light
    page.click("#theme")
    dark = page.evaluate(background)
    assert dark != light
    assert page.inner_text("#theme-name") == "Theme: dark"
    page.keyboard.press("t")
    assert page.evaluate(background) == light


@pytest.mark.parametrize("route", ["", "view=samples", SAMPLE])
def test_every_control_has_a_name(open_report, full, route):
    page = open_report(full, route)
    assert page.evaluate(NAMELESS) == []


@pytest.mark.parametrize("route", ["", "view=samples", SAMPLE])
def test_a_phone_needs_no_sideways_scroll(open_report, full, route):
    page = open_report(full, route)
    page.set_viewport_size({"width": 360, "height": 740})
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    wide = page.evaluate(
        """() => [...document.querySelectorAll('body *')].filter((one) => one.checkVisibility()
            && !one.closest('.table, svg, .unseen, #theme-name, .skip') && one.getBoundingClientRect().right > 361)
            .map((one) => one.outerHTML.slice(0, 100))"""
    )
    assert wide == []


def test_a_phone_goes_from_list_to_sample_and_back(open_report, full):
    page = open_report(full, "view=samples")
    page.set_viewport_size({"width": 360, "height": 740})
    assert not page.is_visible("#sample")
    page.click(".row >> nth=1")
    page.wait_for_selector("#sample .facts")
    assert not page.is_visible("#list")
    assert page.inner_text("li[data-side=R] .match >> nth=0")
    page.click("#sample .back")
    assert page.is_visible("#list")


def test_print_shows_figures_or_the_sample(open_report, full):
    page = open_report(full)
    page.emulate_media(media="print", color_scheme="dark")
    assert page.is_visible("#outcome")
    assert not page.is_visible(".views")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page = open_report(full, SAMPLE)
    page.wait_for_selector("#sample .facts")
    page.emulate_media(media="print")
    assert page.is_visible("#sample .facts")
    assert not page.is_visible("#list")
    assert not page.is_visible("#figures")
    assert page.evaluate(
        "document.getElementById('sample').scrollHeight <= document.getElementById('sample').clientHeight + 1"
    )


def test_focus_is_visible_and_goes_through_the_page(open_report, full):
    page = open_report(full, "view=samples")
    places = []
    for _ in range(18):
        page.keyboard.press("Tab")
        places.append(
            page.evaluate("document.activeElement.id || document.activeElement.name || document.activeElement.tagName")
        )
        if page.evaluate("document.activeElement === document.body"):
            break  # past the last control, the browser's own come
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert {"skip", "to-figures", "q", "run", "clear", "list"} <= set(places)


def test_figures_stand_without_scripts(browser, full):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(full.as_uri())
    assert page.is_visible("#outcome .drawing svg")
    context.close()
