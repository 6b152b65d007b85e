"""Who may import whom, and what `import rationale_rm` loads."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import rationale_rm

PACKAGE = Path(rationale_rm.__file__).parent
# The table of docs/architecture.md: part → the parts that it may import.
BASE = {"_core", "types", "documents", "document_checks", "extras", "prompts", "engine"}
FIRST = {"data", "judge", "atomize", "rollout", "grpo", "world"}
SECOND = {"rewards", "metrics", "critique"}
THIRD = {"train", "evals", "integrations", "pairwise", "server", "analysis"}
ALLOWED = {
    "_core": set(),
    "types": set(),
    "document_checks": {"types"},
    "documents": {"types", "document_checks"},
    "extras": {"_core"},
    "prompts": BASE,
    "engine": BASE,
    **{part: BASE for part in FIRST},
    "atomize": BASE | {"judge", "data"},
    **{part: BASE | FIRST for part in SECOND},
    **{part: BASE | FIRST | SECOND for part in THIRD},
    "server": BASE | FIRST | SECOND | {"integrations"},  # it speaks OpenRLHF's protocol
    "report": {"types", "documents", "extras"},
    "cli": BASE | FIRST | SECOND | THIRD | {"report", ""},
    "": BASE | {"judge", "rewards"},  # rationale_rm/__init__.py, which gives the public names
    "__main__": {"cli"},
}
HEAVY = (
    "typer",
    "rich",
    "pyarrow",
    "zstandard",
    "scipy",
    "torch",
    "transformers",
    "vllm",
    "openai",
    "jinja2",
    "starlette",
    "uvicorn",
    "msgspec",
    "prometheus_client",
    "rensa",
)
MODULES = sorted(PACKAGE.rglob("*.py"))


def part_of(dotted):
    """The part that a dotted name below the package belongs to; "" for the package itself."""
    first = dotted.split(".")[0]
    return first if first in ALLOWED else ""


def imported_parts(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            for name in node.names:
                if name.name.split(".")[0] == "rationale_rm":
                    yield part_of(name.name.removeprefix("rationale_rm").removeprefix("."))
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports name the whole path"
            module = node.module or ""
            if module == "rationale_rm":
                yield from (part_of(name.name) for name in node.names)
            elif module.startswith("rationale_rm."):
                yield part_of(module.removeprefix("rationale_rm."))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down(path):
    first = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    part = "" if first == "__init__" else first
    assert part in ALLOWED, f"{part} is not in the table"
    wrong = set(imported_parts(path)) - ALLOWED[part] - {part}
    assert not wrong, f"{part} may not import {wrong}"


def test_the_parts_that_are_there_are_seen():
    """A walk that found nothing would pass the test above."""
    seen = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in MODULES}
    assert {"__init__", "types", "data", "metrics", "cli"} <= seen
    assert "_core" in set(imported_parts(PACKAGE / "metrics" / "evaluate.py"))


def loaded_after(statement):
    code = f"{statement}\nimport sys\nprint(' '.join(sorted({{name.split('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("statement", ["import rationale_rm", "import rationale_rm.data, rationale_rm.metrics"])
def test_the_library_needs_numpy_alone(statement):
    loaded = loaded_after(statement)
    assert "numpy" in loaded
    assert loaded.isdisjoint(HEAVY)


def test_the_command_line_loads_no_file_format_before_it_is_needed():
    loaded = loaded_after("import rationale_rm.cli.main")
    assert "typer" in loaded
    assert loaded.isdisjoint({"pyarrow", "zstandard"})


def test_everything_promised_is_there():
    assert len(set(rationale_rm.__all__)) == len(rationale_rm.__all__)
    for name in rationale_rm.__all__:
        assert getattr(rationale_rm, name) is not None
