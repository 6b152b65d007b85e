"""Shared fixtures: the real data folder, which CI must not skip when it is there."""

import os
from pathlib import Path

import pytest

os.environ.pop("COLUMNS", None)  # tables as wide as off a terminal, whoever runs the tests
DATA = Path(os.environ.get("RATIONALE_RM_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def data_folder():
    if not DATA.is_dir():
        pytest.skip(f"no real data at {DATA}: set RATIONALE_RM_DATA to the folder (tests/README.md)")
    return DATA


@pytest.fixture
def env(tmp_path):
    """The environment of a program that finds neither this user's home nor a cache, and no keys."""
    from judging import environment

    return environment(XDG_CACHE_HOME=str(tmp_path / "cache"), HOME=str(tmp_path))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """A skipped real-data test is a failure when the data is there: a gap must not hide in a skip."""
    report = yield
    if report.skipped and DATA.is_dir() and item.get_closest_marker("data") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped although {DATA} is there"
    return report
