"""Checks of single arguments: whole numbers, real numbers, and what is True or False."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

__all__ = ["AXES", "INT64", "check_axes", "is_real", "is_whole", "past_int64", "real_number", "shown", "true_or_false"]

INT64 = 2**63 - 1  # the largest integer of compiled code
AXES = 31  # of a batch; with that of the parameters, as many as NumPy broadcasts
LONG = 60  # letters of a value in a message


def is_whole(value: Any, least: int = 1) -> bool:
    """Tell one integer from `least` to 2**63 - 1 from other things; a bool is none.

    Examples
    --------
    >>> from fastgd.checks import is_whole
    >>> is_whole(3), is_whole(0), is_whole(True), is_whole(2**63), is_whole(3.0)
    (True, False, False, False, False)
    """
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and bool(least <= value <= INT64)


def check_axes(name: str, shape: tuple[int, ...], most: int = AXES) -> None:
    """Raise ValueError where an array has more axes than a batch may have, or than `most`."""
    if len(shape) > most:
        raise ValueError(f"{name} has {len(shape)} axes, and at most {most} are taken: use reshape")


def past_int64(value: Any) -> str:
    """Return what to add to a message on an integer that is too large; else an empty string."""
    return ", which is past 2**63 - 1" if isinstance(value, (int, np.integer)) and value > INT64 else ""


def is_real(value: Any) -> bool:
    """Tell one real number in the range of float64, or infinity or NaN, from other things; a bool is none.

    Examples
    --------
    >>> from fastgd.checks import is_real
    >>> is_real(3), is_real(float("inf")), is_real(True), is_real(10**400), is_real("3")
    (True, True, False, False, False)
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        return False
    try:
        return math.isfinite(float(value)) or not np.isfinite(value)  # a longdouble may become infinite
    except OverflowError:
        return False


def real_number(
    value: Any, name: str, expected: str, low: float, high: float = math.inf, *, above: bool = False
) -> float:
    """Return a finite number in [low, high], or in (low, high] where `above` is set, as a float, or raise.

    Examples
    --------
    >>> from fastgd.checks import real_number
    >>> real_number(0.5, "rtol", "a number in [0, 1]", 0.0, 1.0)
    0.5
    >>> real_number(10**400, "rtol", "a number in [0, 1]", 0.0, 1.0)
    Traceback (most recent call last):
    ValueError: rtol must be a number in [0, 1], got an integer of about 400 digits
    """
    number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    good = is_real(value) and low <= value <= high and math.isfinite(value) and not (above and value == low)
    if not good:
        raise (ValueError if number else TypeError)(f"{name} must be {expected}, got {shown(value)}")
    return float(value)


def true_or_false(value: Any, name: str) -> bool:
    """Return a flag as a bool, or raise TypeError."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, got {shown(value)}")
    return bool(value)


def shown(value: Any) -> str:
    """Return how a value is written in a message: its repr, cut where it is long.

    Examples
    --------
    >>> from fastgd.checks import shown
    >>> shown("a"), shown(10**5000)
    ("'a'", 'an integer of about 5,000 digits')
    """
    if isinstance(value, int) and abs(value) >= 2**200:
        digits = round(math.log10(2) * abs(value).bit_length())
        return f"{'a negative' if value < 0 else 'an'} integer of about {digits:,} digits"
    if callable(value) and hasattr(value, "__name__"):
        return f"the {'class' if isinstance(value, type) else 'function'} {value.__name__}"
    text = " ".join(repr(value).split())
    return text if len(text) <= LONG else f"{text[: LONG - 3]}..."
