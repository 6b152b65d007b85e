"""Makes the screenshots in docs/images from a report on the runs of `make experiment` (three rewards, three seeds).

python tests/browser/images.py [FOLDER OF RUNS]. What they show are real runs of a tiny GenRM on the synthetic world.
"""

import sys
import tempfile
from pathlib import Path
from urllib.parse import urlencode

from browser_pages import find_browser
from playwright.sync_api import sync_playwright
from rationale_rm import __version__
from rationale_rm.report import Inputs, Settings, read, write

OUT = Path("docs/images")
RUNS = [f"{reward}-{seed}" for reward in ("hybrid", "outcome_only", "sum") for seed in (0, 1, 2)]
WIDE, PHONE = {"width": 1280, "height": 860}, {"width": 360, "height": 740}


def chosen(inputs: Inputs) -> str:
    """A right answer of the hybrid run, late in training, that finds most human reasons and misses some."""
    samples = next(one for one in inputs.samples if one.run == "hybrid-0").samples
    for sample in reversed(samples):
        places = [(reference, reason) for reference, reason, _ in sample.matches]
        apart = any(reference != reason for reference, reason in places)
        if sample.right and apart and 3 <= len(places) < len(sample.references):
            return f"hybrid-0/{sample.id}"
    raise SystemExit("hybrid-0 kept no right answer with three matches or more, and some missed")


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "build/degeneration")
    missing = [name for name in RUNS if not (folder / name / "metrics.jsonl").is_file()]
    if missing:
        raise SystemExit(f"{folder} lacks {', '.join(missing)}: make experiment trains them")
    inputs = read([folder / name for name in RUNS])
    sample = urlencode({"view": "samples", "run": "hybrid-0", "sample": chosen(inputs)})
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        page_file = Path(name) / "report.html"
        with page_file.open("wb") as stream:
            write(inputs, stream, Settings("Three rewards on the synthetic world", __version__))
        browser = playwright.chromium.launch(executable_path=find_browser(), args=["--no-sandbox"])
        OUT.mkdir(parents=True, exist_ok=True)
        for file, route, scheme, size in (
            ("report-figures-light.png", "", "light", WIDE),
            ("report-figures-dark.png", "training", "dark", WIDE),
            ("report-sample-light.png", sample, "light", WIDE),
            ("report-sample-dark.png", sample, "dark", WIDE),
            ("report-phone.png", sample, "light", PHONE),
        ):
            page = browser.new_context(viewport=size, color_scheme=scheme).new_page()
            page.goto(f"{page_file.as_uri()}#{route}")
            page.wait_for_selector("body[data-ready=true]")
            if route == sample:
                page.wait_for_selector("#sample .facts")
            page.wait_for_timeout(200)  # the lines of the matches follow the layout
            page.screenshot(path=OUT / file)
            print(OUT / file)
        browser.close()


if __name__ == "__main__":
    main()
