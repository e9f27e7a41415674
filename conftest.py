"""What tests and the examples in docstrings share."""

import sys

import pytest


@pytest.fixture(autouse=True)
def closed_figures():
    """Close the figures of pyplot after each test and example."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
