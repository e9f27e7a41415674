"""The largest rate at which a rule stays at a minimum: its number, and the formula that pictures show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["StableRate"]


@dataclass(frozen=True, eq=False)
class StableRate:
    r"""A largest stable rate of the form :math:`c / (\lambda + w)`, with :math:`\lambda` the largest curvature.

    Attributes
    ----------
    product : float or ndarray
        The number c: where the rate times the curvature is c, one of the factors of a step is -1.
    decay : float or ndarray
        The weight decay w.
    above, below : str
        The formula of c in LaTeX, its numerator and its denominator, which may be none.
    letters : mapping of str to str
        What the letters in it stand for, and how they are written.

    Examples
    --------
    >>> from fastgd.optimizers.stable_rate import StableRate
    >>> doubled = StableRate(4.0, 0.0, r"2\,(1 + \mu)", letters={"momentum": r"\mu"})
    >>> float(doubled.at(8.0)), doubled.text
    (0.5, '$2\\,(1 + \\mu) / \\lambda_{\\max}$ with momentum $\\mu$')
    """

    product: Any
    decay: Any
    above: str
    below: str = ""
    letters: Mapping[str, str] = field(default_factory=dict)

    def at(self, curvature: Any) -> Any:
        """The rate at minima of these largest curvatures, broadcast with the hyperparameters."""
        total = curvature + self.decay
        with np.errstate(divide="ignore", invalid="ignore"):
            limit = np.where(total > 0, self.product / total, np.where(total < 0, 0.0, np.inf))
        return np.where(np.isnan(total), np.nan, limit)[()]

    @property
    def text(self) -> str:
        """The formula, and what its letters are; the weight decay is in it where there is any."""
        decayed = bool(np.any(self.decay))
        curvature = r"(\lambda_{\max} + w)" if decayed else r"\lambda_{\max}"
        letters = {**self.letters, **({"weight decay": "w"} if decayed else {})}
        denominator = rf"({self.below}\,{curvature})" if self.below else curvature
        words = ", ".join(f"{name} ${letter}$" for name, letter in letters.items())
        return f"${self.above} / {denominator}$" + (f" with {words}" if words else "")
