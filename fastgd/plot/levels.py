"""Round values for the lines and the scale of a landscape."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["level_texts", "round_levels", "roundest"]

_LEFT = 1.25  # how much higher than the next the lowest band may be
_EVEN, _FURTHER = 6, 12  # further levels in even steps, and about so many in all
_FEWEST, _MOST = 6, 17  # significant digits of a level; 17 tell any two numbers apart
_ROUNDED = 0.01  # of the distance to its neighbour that the text of a level may be off


def round_levels(values: NDArray[np.float64], bands: int) -> NDArray[np.float64]:
    """Return round levels that cut values into bands of about the same number, with one below and one above them.

    Between two neighbouring bands of exactly the same number there is some play: within it the roundest number is
    taken, a power of ten before twice or five times one, before other multiples. Where values span many powers of ten
    the levels do so too. Where the lowest band would reach far further down than the next one is high, as in the narrow
    ground of a deep basin, there are more levels below.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgd.plot.levels import round_levels
    >>> round_levels(np.linspace(-1, 103, 1001), bands=5)
    array([20., 40., 60., 80.])
    >>> round_levels(np.geomspace(1e-3, 1e3, 1001), bands=6)
    array([1.e-02, 1.e-01, 1.e+00, 1.e+01, 1.e+02])
    """
    ordered, play = np.sort(values), 0.45 / bands
    at = np.arange(1, bands) / bands
    sides = np.quantile(ordered, [at - play, at + play])
    levels = np.unique([roundest(low, high) for low, high in sides.T])
    # A level at an end of the values would have an empty band beyond it.
    levels = levels[(levels > ordered[0]) & (levels < ordered[-1])]
    while levels.size > 1:
        below = np.searchsorted(ordered, levels) / ordered.size
        close = int(np.argmin(np.diff(below)))
        if below[close + 1] - below[close] >= 0.5 / bands:
            break
        # Of two levels with little between them the rounder one stays.
        levels = np.delete(levels, close if _digits(levels[close]) > _digits(levels[close + 1]) else close + 1)
    if levels.size > 1:
        return np.concatenate([_further_down(levels, float(ordered[0])), levels])
    # Of few different values no more is to be told than the lowest and the highest.
    apart = ordered[0] < ordered[-1]
    return ordered[[0, -1]] if apart else ordered[0] + np.array([-0.5, 0.5])


def _further_down(levels: NDArray[np.float64], lowest: float) -> NDArray[np.float64]:
    """Return round levels below the first of some, until what is left is about as high as the band above."""
    found = [float(levels[0])]
    height = gap = float(levels[1] - levels[0])
    # Of a well so deep that even steps would be too many, the later ones grow as fast as they need to.
    growth = max(2.0, ((found[0] - lowest) / gap) ** (1.0 / (_FURTHER - _EVEN)))
    while np.isfinite(gap) and found[-1] - lowest > _LEFT * height:
        if len(found) > _EVEN:
            gap = min(gap * growth, 0.9 * (found[-1] - lowest))  # above the lowest, or nothing were below
        found.append(roundest(found[-1] - gap, found[-1] - 0.6 * gap))
        height = found[-2] - found[-1]
    return np.array(found[:0:-1])


def roundest(low: float, high: float) -> float:
    """Return the number from `low` to `high` with the fewest digits: 0, a power of ten, 5 or 2 times one, or others.

    Examples
    --------
    >>> from fastgd.plot.levels import roundest
    >>> roundest(-1.0, 3.0), roundest(80, 300), roundest(41, 62), roundest(18.2, 18.9)
    (0.0, 100.0, 50.0, 18.5)
    """
    if low <= 0.0 <= high:
        return 0.0
    if high < 0.0:
        return -roundest(-high, -low)
    power = float(np.floor(np.log10(high)))
    if 10.0**power >= low:
        return float(f"{10.0**power:.15g}")
    for k in range(17):
        unit = 10.0 ** (power - k)
        # Of the multiples of 5, 2 or 1 units, the one nearest to the middle
        for step in (5.0, 2.0, 1.0):
            width = step * unit
            if not 0.0 < width < np.inf:  # beyond the largest or the smallest number
                continue
            first, last = np.ceil(low / width), np.floor(high / width)
            if first <= last:
                # The halves apart, as the sum of two large numbers overflows
                middle = np.clip(np.round((0.5 * low + 0.5 * high) / width), first, last)
                return float(f"{middle * step * unit:.15g}")
    return low


def level_texts(levels: NDArray[np.float64]) -> list[str]:
    """Return ascending levels as they stand beside the scale, with as many digits as tell neighbours apart.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgd.plot.levels import level_texts
    >>> level_texts(np.array([-0.5, 2000.0, 5e6])), level_texts(np.array([2e-5, 1 / 3]))
    (['\u22120.5', '2,000', '5e6'], ['2e\u22125', '0.333333'])
    >>> level_texts(np.array([1234567.0, 1234568.0]))
    ['1.234567e6', '1.234568e6']
    """
    with np.errstate(over="ignore"):
        gaps = np.concatenate([[np.inf], np.diff(levels), [np.inf]])
    for digits in range(_FEWEST, _MOST + 1):
        shown = [float(f"{level:.{digits}g}") for level in levels]
        # Not only different, but as far apart as the levels are
        if np.all(np.abs(shown - levels) <= _ROUNDED * np.minimum(gaps[1:], gaps[:-1])):
            break
    return [_level_text(float(level), digits) for level in levels]


def _level_text(level: float, digits: int) -> str:
    if level == 0 or 1e-3 <= abs(level) < 1e5:
        text = f"{level:,.{digits}g}"
    else:
        mantissa, exponent = f"{level:.{digits - 1}e}".split("e")
        text = f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    return text.replace("-", "\N{MINUS SIGN}")


def _digits(level: float) -> tuple[int, bool]:
    """How round a number is: its significant digits, and whether the first is another than 1, 2 and 5."""
    digits = f"{abs(level):.15e}".split("e")[0].replace(".", "").rstrip("0")
    return len(digits), digits[:1] not in ("", "1", "2", "5")
