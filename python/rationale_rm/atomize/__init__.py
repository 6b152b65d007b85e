"""Atomic decomposition (paper, §2.1 and App. A): annotators' free text becomes a list of atomic rationales.

`read_record` takes a HelpSteer3-style row, `atomize` asks a model about many records through a `Caller`, and
`to_record` writes a result in the public RationaleRM schema. Each claim is checked against the annotators' words
(`check_claims`): what they do not support is marked, never dropped in silence (docs/atomize.md).
"""

from rationale_rm.atomize.decompose import (
    Atomized,
    AtomizeSettings,
    Ignored,
    OnAtomized,
    atomize,
    question,
    read_answer,
)
from rationale_rm.atomize.records import Annotated, RecordError, read_record
from rationale_rm.atomize.support import Checked, Flag, check_claims
from rationale_rm.atomize.write import Stats, to_record

__all__ = [
    "Annotated",
    "AtomizeSettings",
    "Atomized",
    "Checked",
    "Flag",
    "Ignored",
    "OnAtomized",
    "RecordError",
    "Stats",
    "atomize",
    "check_claims",
    "question",
    "read_answer",
    "read_record",
    "to_record",
]
