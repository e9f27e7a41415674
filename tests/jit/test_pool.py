"""Work for several threads: every task once, and errors come back."""

from __future__ import annotations

from typing import Any

import pytest

from fastgd.jit.pool import checked_threads, share_out


def test_work_is_shared_out_once_and_errors_come_back() -> None:
    for threads in (1, 2, 4):
        done: list[int] = []
        share_out(done.append, range(100), threads)
        assert sorted(done) == list(range(100))

    def fail(task: int) -> None:
        raise KeyError(task)

    with pytest.raises(KeyError):
        share_out(fail, range(3), 2)


@pytest.mark.parametrize("threads", [0, -1, 1.5, True, "2"])
def test_numbers_of_threads_that_are_refused(threads: Any) -> None:
    with pytest.raises(ValueError, match="threads must be None or an integer >= 1"):
        checked_threads(threads)
