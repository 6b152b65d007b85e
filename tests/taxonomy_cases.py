"""What the tests of `analyze taxonomy` share."""

import json

from judging import run
from rationale_rm.documents import Analysis

HOSTILE = "\x1b[31m[red]x[/red]</script>\u202e"


def taxonomy(pairs, out, *more, **options):
    """Runs the subcommand."""
    return run("analyze", "taxonomy", pairs, "-o", out, *more, **options)


def analysis(path):
    """The document that it wrote."""
    return Analysis.from_dict(json.loads(path.read_text("utf-8")))
