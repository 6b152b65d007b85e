"""Class (EG, CG, GS) and flaws (F1 to F7) of reasons, by rules or by a language model (docs/taxonomy.md)."""

from rationale_rm.analysis.taxonomy.labels import CLASSES, FLAWS, Labels
from rationale_rm.analysis.taxonomy.model import LabelRequest, LabelResult, LabelSettings, label_each
from rationale_rm.analysis.taxonomy.parse import TaxonomyStatus, parse
from rationale_rm.analysis.taxonomy.rules import label

__all__ = [
    "CLASSES",
    "FLAWS",
    "LabelRequest",
    "LabelResult",
    "LabelSettings",
    "Labels",
    "TaxonomyStatus",
    "label",
    "label_each",
    "parse",
]
