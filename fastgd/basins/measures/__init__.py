"""Measures of basins of attraction: on label arrays of any dimension, and by pairs of starts."""

from fastgd.basins.measures.entropy import BasinEntropy, basin_entropy
from fastgd.basins.measures.fractality import FractalityTest, fractality_test, smooth_boundary_entropy
from fastgd.basins.measures.pairs import uncertainty_by_pairs
from fastgd.basins.measures.shares import Shares, Stability, Unseen, basin_stability, shares, starts_needed, unseen
from fastgd.basins.measures.uncertainty import Uncertainty, uncertainty_exponent
from fastgd.basins.measures.wada import WadaTest, wada_test

__all__ = [
    "BasinEntropy", "FractalityTest", "Shares", "Stability", "Uncertainty", "Unseen", "WadaTest", "basin_entropy",
    "basin_stability", "fractality_test", "shares", "smooth_boundary_entropy", "starts_needed", "uncertainty_by_pairs",
    "uncertainty_exponent", "unseen", "wada_test",
]  # fmt: skip


def __dir__() -> list[str]:
    return list(__all__)
