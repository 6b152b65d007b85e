"""The cases that all adapters share."""

import pytest
from critiques import critiques, expected


@pytest.fixture(scope="session")
def cases():
    return critiques()


@pytest.fixture(scope="session")
def rewards(cases):
    found = expected(cases).reward
    assert len(set(found.round(6).tolist())) > 10, "the cases tell rewards apart"
    return found
