"""How minima are joined by passes: the disconnectivity tree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.texts import counted


@dataclass(frozen=True, repr=False, eq=False)
class DisconnectivityTree:
    """Which minima can be reached from each other below which value.

    The first ``len(minima)`` nodes are the minima; each further node is the pass at which two groups become one.

    Attributes
    ----------
    fun : ndarray, shape (nodes,)
        Value of each node: that of the minimum, or of the pass.
    parent : ndarray of int64, shape (nodes,)
        The node above, -1 for a root. There are several roots where passes are missing.
    minima : ndarray of int64, shape (k,)
        Number that each minimum has where the tree was made from.
    saddles : ndarray of int64, shape (nodes - k,)
        Number of the saddle of each further node.
    """

    fun: NDArray[np.float64]
    parent: NDArray[np.int64]
    minima: NDArray[np.int64]
    saddles: NDArray[np.int64]

    @property
    def roots(self) -> NDArray[np.int64]:
        """The nodes that nothing is above of."""
        return np.flatnonzero(self.parent < 0)

    def barrier(self, start: int, end: int) -> float:
        """Return how far one must climb at least from one minimum to reach another.

        Parameters
        ----------
        start, end : int
            Numbers of minima, as in `minima`.

        Returns
        -------
        float
            The lowest value that a path over the known passes cannot avoid, less the value at `start`; infinite
            where no path is known.

        Raises
        ------
        ValueError
            If one of them is not in `minima`.
        """
        leaves = []
        for number in (start, end):
            where = np.flatnonzero(self.minima == number)
            if where.size == 0:
                raise ValueError(f"{number} is no minimum of this tree; they are {self.minima.tolist()}")
            leaves.append(int(where[0]))
        above = set(self._ancestors(leaves[0]))
        for node in self._ancestors(leaves[1]):
            if node in above:
                return float(self.fun[node] - self.fun[leaves[0]])
        return float("inf")

    def _ancestors(self, node: int) -> list[int]:
        line = [node]
        while self.parent[line[-1]] >= 0:
            line.append(int(self.parent[line[-1]]))
        return line

    def __repr__(self) -> str:
        return f"<DisconnectivityTree of {counted(self.minima.size, 'minimum')}, {counted(self.roots.size, 'root')}>"


def disconnectivity_tree(
    minima: ArrayLike, minima_fun: ArrayLike, saddles: ArrayLike, saddles_fun: ArrayLike, links: ArrayLike
) -> DisconnectivityTree:
    """Join minima by passes, the lowest pass first.

    Parameters
    ----------
    minima, saddles : array_like of int, shapes (k,) and (s,)
        Their numbers.
    minima_fun, saddles_fun : array_like, shapes (k,) and (s,)
        Their values.
    links : array_like of int, shape (s, 2)
        Numbers of the two minima that each saddle joins; -1 for an end that is not known.

    Returns
    -------
    DisconnectivityTree
        A saddle whose minima are joined already, by a lower one, makes no node.

    References
    ----------
    O. M. Becker, M. Karplus, The topology of multidimensional potential energy surfaces, Journal of Chemical Physics
    106 (1997) 1495-1517, doi:10.1063/1.473299.

    Examples
    --------
    >>> tree = disconnectivity_tree([0, 1, 2], [-3.0, -2.0, -1.0], [3, 4], [0.5, 0.0], [(0, 1), (1, 2)])
    >>> tree.fun, tree.parent
    (array([-3. , -2. , -1. ,  0. ,  0.5]), array([ 4,  3,  3,  4, -1]))
    >>> tree.barrier(2, 0), tree.barrier(0, 2)
    (1.5, 3.5)
    """
    numbers = np.asarray(minima, dtype=np.int64)
    passes = np.asarray(saddles, dtype=np.int64)
    heights = np.asarray(saddles_fun, dtype=np.float64)
    ends = np.asarray(links, dtype=np.int64).reshape(-1, 2)
    fun = list(np.asarray(minima_fun, dtype=np.float64))
    parent = [-1] * numbers.size
    used: list[int] = []
    # The highest node so far over each minimum
    top = {int(number): leaf for leaf, number in enumerate(numbers)}
    members: dict[int, list[int]] = {leaf: [int(number)] for leaf, number in enumerate(numbers)}
    for k in np.argsort(heights, kind="stable"):
        one, other = (int(end) for end in ends[k])
        if one < 0 or other < 0 or top[one] == top[other]:
            continue
        node = len(fun)
        fun.append(heights[k])
        parent.append(-1)
        used.append(int(passes[k]))
        joined = []
        for below in (top[one], top[other]):
            parent[below] = node
            joined += members.pop(below)
        members[node] = joined
        for number in joined:
            top[number] = node
    return DisconnectivityTree(
        fun=np.array(fun, dtype=np.float64),
        parent=np.array(parent, dtype=np.int64),
        minima=numbers,
        saddles=np.array(used, dtype=np.int64),
    )
