"""What a report cannot be made of."""

from __future__ import annotations


class ReportError(ValueError):
    """An input that a report cannot be made of; the message says which, and what is expected."""
