"""Result documents and training runs as one HTML page: figures, tables, and every sample to look at.

`read` takes what `rationale-rm eval`, `analyze` and `train` wrote, `write` makes the page. It opens from disk, asks the
network for nothing, and shows model text as text only (docs/report.md).
"""

from rationale_rm.report.errors import ReportError
from rationale_rm.report.inputs import Comparison, EvalRun, Inputs, NamedAnalysis
from rationale_rm.report.page import Page, Settings, write
from rationale_rm.report.read import read
from rationale_rm.report.training import TrainingRun

__all__ = [
    "Comparison",
    "EvalRun",
    "Inputs",
    "NamedAnalysis",
    "Page",
    "ReportError",
    "Settings",
    "TrainingRun",
    "read",
    "write",
]
