"""What every test shares: a headless matplotlib, repeatable hypothesis, and the skip of GPU tests."""

import os

os.environ.setdefault("MPLBACKEND", "Agg")

import hypothesis
import pytest

# A first call compiles for seconds, so a deadline per example says nothing about the code.
hypothesis.settings.register_profile("fastgd", deadline=None, derandomize=True, max_examples=50)
hypothesis.settings.load_profile("fastgd")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests marked `gpu` where no CUDA device answers; asks only if there are such tests."""
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if not marked:
        return
    from fastgd.jit.cuda import missing, simulated

    reason = "the simulator is no GPU" if simulated() else missing()
    if reason is not None:
        for item in marked:
            item.add_marker(pytest.mark.skip(reason=reason))
