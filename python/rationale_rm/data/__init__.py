"""Reads files of pairs and of MetaJudge results into `Pair` records.

JSON Lines, plain or compressed with gzip or Zstandard, Parquet, folders of those, and ``-`` for standard
input. Two layouts are read, line by line, in any mix:

- the public RationaleRM schema (``domain, context, response1, response2, human-checklist`` and, for each
  model M, ``M-checklist, M-label, M-generated_text``), with the human preference in ``label`` or
  ``overall_preference``, or else in ``human-label``; lines of ``rationale-rm critique`` add ``pair_id, swapped,
  sample`` and ``M-status``;
- the result files of the authors' MetaJudge script (``prompt, samples, status, metadata``), to which ``rationale-rm
  match`` adds ``judge, model, scores, stand_in, top_k``.

Lines with the same id are joined into one pair, so labels, transcripts and judge scores may lie in different
files. A line that cannot be read becomes a `BadLine` and touches no other.
"""

from rationale_rm.data.faults import BadLine, DataError
from rationale_rm.data.fields import has_own_id
from rationale_rm.data.files import STDIN, Row, chunks, expand, read_rows
from rationale_rm.data.journal import Journal, JournalError
from rationale_rm.data.labels import LABEL_SCALES, LabelScale, parse_label
from rationale_rm.data.load import Loaded, read_line, read_pair, read_pairs, share_labels
from rationale_rm.data.records import is_judge_record, record_names, superseded_by

__all__ = [
    "LABEL_SCALES",
    "STDIN",
    "BadLine",
    "DataError",
    "Journal",
    "JournalError",
    "LabelScale",
    "Loaded",
    "Row",
    "chunks",
    "expand",
    "has_own_id",
    "is_judge_record",
    "parse_label",
    "read_line",
    "read_pair",
    "read_pairs",
    "read_rows",
    "record_names",
    "share_labels",
    "superseded_by",
]
