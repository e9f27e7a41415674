"""Every bad argument is a clear ValueError or TypeError of this package, raised before anything is compiled or run."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from typing import Any
from unittest import mock

import bad_inputs_basins
import bad_inputs_landscapes
import bad_inputs_minimize
import bad_inputs_problems
import bad_inputs_rules
import pytest
from bad_inputs_things import things
from numba.core.dispatcher import Dispatcher

from fastgd import evaluate
from fastgd.engine import cpu

TABLES = (bad_inputs_minimize, bad_inputs_problems, bad_inputs_rules, bad_inputs_basins, bad_inputs_landscapes)
ROWS = [row for table in TABLES for row in table.ROWS]
OTHERS = re.compile(r"numba|llvm|Traceback|not supported between|truth value|0x[0-9a-f]{6}", re.IGNORECASE)


class Begun(BaseException):
    """Work has begun."""


@pytest.fixture(scope="module")
def made() -> Any:
    for name in ("runs", "map", "comparison", "state", "other_state"):
        getattr(things, name)
    return things


@pytest.fixture
def no_work() -> Iterator[None]:
    """Nothing is compiled, no run begins, and no point is evaluated."""
    begun = {"side_effect": Begun}
    with (
        mock.patch.object(Dispatcher, "compile", **begun),
        mock.patch.object(cpu, "run", **begun),
        mock.patch.object(evaluate, "evaluated", **begun),
    ):
        yield


def test_the_table_is_long_and_names_no_case_twice() -> None:
    names = [name for name, *_ in ROWS]
    assert len(names) >= 300
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(("call", "kind", "words"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_bad_inputs(call: Any, kind: type[Exception], words: str, made: Any, no_work: None) -> None:
    assert kind in (TypeError, ValueError)
    with pytest.raises(kind) as caught:
        call(made)
    assert type(caught.value) is kind
    message = str(caught.value)
    assert words in message
    assert not OTHERS.search(message), message
    last = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert "/fastgd/" in last.filename.replace("\\", "/"), last
