"""Run by `make test-wheel` in an environment that holds the wheel and its declared dependencies alone."""

import subprocess
import sys
from importlib.metadata import version
from importlib.resources import files

import rationale_rm as rm

assert rm.__version__ == version("rationale-rm")
assert "site-packages" in rm.__file__, rm.__file__
batch = rm.parse_genrm(["<RESULT_START>\n- A cites the source.\n\\boxed{A>B}\n<RESULT_END>"])
assert batch.verdict.tolist() == [1]
assert batch.reasons == [["A cites the source."]]
loaded = {name.split(".")[0] for name in sys.modules}
assert not loaded & {"typer", "rich", "pyarrow", "zstandard", "torch"}, loaded
# Parts whose data files (coefficients, prices, templates) must be in the wheel, and which need no extra.
from rationale_rm.judge import find_price  # noqa: E402
from rationale_rm.judge.local import LexicalJudge  # noqa: E402
from rationale_rm.prompts import template_id  # noqa: E402

reason = "Response A quotes the wrong year."
text = f"<RESULT_START>\n1. {reason}\n\\boxed{{B>A}}\n<RESULT_END>"
assert rm.RationaleReward(LexicalJudge())([text], references=[[reason]], labels=[-1]).reward[0] == 1
assert find_price("gpt-4.1-mini") is not None
assert template_id("metajudge").startswith("metajudge/")
assert {"tiny-cpu.yaml", "qwen3-14b.yaml"} <= {
    path.name for path in files("rationale_rm").joinpath("recipes").iterdir()
}
report = files("rationale_rm").joinpath("report")
assert report.joinpath("page.html.j2").is_file()
assert {"main.js", "text.js"} <= {path.name for path in report.joinpath("js").iterdir()}
assert {"base.css", "print.css"} <= {path.name for path in report.joinpath("css").iterdir()}
found = subprocess.run(
    [sys.executable, "-m", "rationale_rm.cli", "--version"], capture_output=True, text=True, check=True
)
assert rm.__version__ in found.stdout, found
print("1 passed, 0 failed")
