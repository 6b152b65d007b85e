"""Evaluations of this field in one harness."""
