"""A report of 10,000 samples of 6 KB: how long it takes to make, to open and to filter.

python -m benches.report prints the figures; the browser is the Chromium that `make setup-browser` finds.
"""

import itertools
import json
import random
import shutil
import statistics
import string
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rationale_rm.documents import RESULT_FILE, SAMPLES_FILE, Estimate, EvalResult, SampleView
from rationale_rm.report import read, write

N_SAMPLES = 10_000
N_PAIRS = 5_000
VOCABULARY = 20_000
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OPENS = 5
FILTERS = {
    "all of a domain": {"domain": "code"},
    "right": {"verdict": "right"},
    "RC": {"low": "0.1", "high": "0.4"},
    "flaw": {"flaw": "F4"},
    "all together, by RC": {"domain": "stem", "verdict": "wrong", "flaw": "F1", "high": "0.5", "sort": "rc"},
    "none, by RC": {"sort": "-rc"},
}
# Sets the fields as a person would, one after the other, and waits each time until the list that results has been
# painted: the longest of these.
FILTER = """async (fields) => {
    document.getElementById('clear').click();
    let longest = 0;
    for (const [name, value] of Object.entries(fields)) {
        await new Promise((done) => setTimeout(done, 50));
        const field = document.getElementById('filters').elements[name];
        const began = performance.now();
        field.value = value;
        field.dispatchEvent(new Event('input', { bubbles: true }));
        await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
        longest = Math.max(longest, performance.now() - began);
    }
    return longest;
}"""
SEARCH = """async (words) => {
    document.getElementById('clear').click();
    const state = document.getElementById('state');
    const field = document.getElementById('filters').elements.q;
    const began = performance.now();
    let first = null;
    const ended = new Promise((done) => new MutationObserver(() => {
        if (first === null && !state.textContent.startsWith('0 ')) first = performance.now() - began;
        if (state.dataset.done === 'true' && state.textContent.includes(' of ')) done();
    }).observe(state, { childList: true, attributes: true }));
    field.value = words;
    field.dispatchEvent(new Event('input', { bubbles: true }));
    await ended;
    return [performance.now() - began, first, state.textContent];
}"""


@dataclass(frozen=True)
class Found:
    """Sizes in bytes, times in seconds."""

    sample_bytes: float
    file_bytes: int
    built: float
    opened: float
    filtered: float
    n_filters: int
    searched: float
    first_find: float
    searched_again: float


def write_samples(folder: Path) -> float:
    """An evaluation of two models on the same pairs; returns the mean bytes of a sample.

    Words are drawn with Zipf's frequencies from a vocabulary of random letters, which compresses no better than prose.
    """
    rng = random.Random(0)
    words = ["".join(rng.choices(string.ascii_lowercase, k=rng.randint(2, 11))) for _ in range(VOCABULARY)]
    weights = list(itertools.accumulate(1 / rank for rank in range(1, VOCABULARY + 1)))

    def text(characters: int) -> str:
        return " ".join(rng.choices(words, cum_weights=weights, k=characters // 6))[:characters]

    size = 0
    for model in ("model-a", "model-b"):
        run = folder / model
        run.mkdir()
        with (run / SAMPLES_FILE).open("w", encoding="utf-8") as stream:
            for place in range(N_SAMPLES // 2):
                line = json.dumps(_sample(place, model, rng, text).to_dict()) + "\n"
                size += len(line)
                stream.write(line)
        figures = tuple(
            Estimate(metric=name, value=0.5, low=0.4, high=0.6, n=5000, n_total=5000) for name in ("oa", "rc")
        )
        result = EvalResult(eval="rationale", model=model, manifest={}, estimates=figures, statuses={"ok": 5000})
        (run / RESULT_FILE).write_text(json.dumps(result.to_dict()), "utf-8")
    return size / N_SAMPLES


def _sample(place: int, model: str, rng: random.Random, text: Any) -> SampleView:
    n_references, n_reasons = rng.randint(3, 7), 5
    cells = [
        (i, j, round(rng.random(), 2)) for i in range(n_references) for j in range(n_reasons) if rng.random() < 0.3
    ]
    matches = tuple((i, i, 0.75) for i in range(rng.randint(0, 3)))
    return SampleView(
        id=f"{place}",
        pair_id=f"{model}-{place}",  # a pair of its own: texts that answers share would make the file smaller
        model=model,
        domain=("code", "general", "multilingual", "stem")[place % 4],
        context=({"role": "user", "content": text(700)},),
        response1=text(1520),
        response2=text(1520),
        label="A>B",
        verdict=rng.choice(("A>B", "B>A")),
        right=rng.random() < 0.7,
        status="ok",
        text=text(700),
        references=tuple(text(90) for _ in range(n_references)),
        reasons=tuple(text(90) for _ in range(n_reasons)),
        scores=tuple(cells),
        matches=matches,
        judge_status="ok",
        rc=0.75 * len(matches) / n_references,
        ap=rng.random(),
        classes=tuple(rng.choice(("EG", "CG", "GS")) for _ in range(n_reasons)),
        flaws=tuple(tuple(rng.sample(("F1", "F2", "F3", "F4"), rng.randint(0, 1))) for _ in range(n_reasons)),
    )


def measure(builds: int = 3) -> Found:
    """Medians of the builds and of the openings; of the filters the slowest."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sample_bytes = write_samples(folder)
        page = folder / "report.html"
        built = []
        for _ in range(builds):
            began = time.perf_counter()
            with page.open("wb") as stream:
                write(read([folder / "model-a", folder / "model-b"]), stream)
            built.append(time.perf_counter() - began)
        return Found(sample_bytes, page.stat().st_size, statistics.median(built), *_in_browser(page))


def _in_browser(page_file: Path) -> tuple[float, float, int, float, float, float]:
    from playwright.sync_api import sync_playwright

    executable = next(path for name in BROWSERS if (path := shutil.which(name)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        opened = []
        for _ in range(OPENS):
            page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
            began = time.perf_counter()
            page.goto(f"{page_file.as_uri()}#view=samples", wait_until="commit")
            page.wait_for_selector(".row")
            page.wait_for_load_state("domcontentloaded")
            opened.append(time.perf_counter() - began)
        slowest = max(statistics.median(page.evaluate(FILTER, fields) for _ in range(5)) for fields in FILTERS.values())
        first, find, _ = page.evaluate(SEARCH, "zz")
        again, _, _ = page.evaluate(SEARCH, "qu")
        browser.close()
    return statistics.median(opened), slowest / 1000, len(FILTERS), first / 1000, find / 1000, again / 1000


if __name__ == "__main__":
    print(measure())
