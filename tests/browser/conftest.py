"""A real browser on real report files: every page must stay silent, whatever is in it."""

import re

import pytest
import reports
from browser_pages import Opened, find_browser, make_report
from playwright.sync_api import sync_playwright


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as playwright:
        # The sandbox needs rights that root in a container lacks; the pages are ours.
        opened = playwright.chromium.launch(executable_path=find_browser(), args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def open_report(browser):
    """Opens a report; afterwards nothing may have been said, asked for or popped up."""
    pages = []

    def opened(file, route="", **context):
        one = Opened(browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **context}).new_page())
        pages.append((one, file))
        return one.go(file, route)

    def expect(page, pattern):
        """Takes noise that a test asked for, at least one, from a page."""
        one = next(one for one, _ in pages if one.page is page)
        left = [text for text in one.noise if not re.search(pattern, text)]
        assert len(left) < len(one.noise)
        one.noise, one.requests = left, one.requests[:1]

    opened.expect = expect
    yield opened
    for one, file in pages:
        assert one.noise == []
        assert {url.split("#")[0] for url in one.requests} == {file.as_uri()}
        one.page.context.close()


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("report")


@pytest.fixture(scope="session")
def views():
    """Samples by run."""
    return {model: reports.samples(model, 150) for model in ("outcome-only", "hybrid")}


@pytest.fixture(scope="session")
def full(folder, views):
    """A report with every section."""
    paths = [reports.write_eval(folder / model, model, found) for model, found in views.items()]
    accuracies = [
        reports.estimate("accuracy", 0.5 + 0.05 * place, slice=name, rule="both_orders")
        for place, name in enumerate(("overall", "chat", "math", "code", "safety", "easy", "normal", "hard"))
    ]
    paths.append(reports.write_eval(folder / "bench", "hybrid", [], kind="rm_bench", estimates=accuracies))
    paths.append(reports.taxonomy(folder / "taxonomy.json", list(views)))
    paths.append(reports.agreement(folder / "agreement.json"))
    for setting, rationale in (("outcome", 0.05), ("product", 0.4)):
        paths += [
            reports.write_training(folder / f"{setting}-{seed}", rationale=rationale + 0.02 * seed) for seed in (0, 1)
        ]
    return make_report(paths, folder / "full.html")
