"""How large the gradient is in each layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.arguments import check_problem
from fastgd.calls import explain_calls

if TYPE_CHECKING:
    from fastgd.problem import Problem

__all__ = ["layer_gradients"]


@explain_calls()
def layer_gradients(problem: Problem, x: ArrayLike) -> NDArray[np.float64]:
    r"""Return the norm of the gradient in each layer of a network.

    The root mean square over the parameters of a layer, so that layers of any size compare:

    .. math:: G_l = \sqrt{\frac{1}{n_l} \sum_{k \in \text{layer } l} \left(\frac{\partial f}{\partial x_k}\right)^2}

    Parameters
    ----------
    problem : Problem
        One with layers, such as those of ``fastgd.problems.mlp``.
    x : array_like, shape (*batch, n)
        The points: starts, end points, or a trace; NaN where a run had ended gives NaN.

    Returns
    -------
    ndarray, shape (*batch, layers)
        The first layer is that of the inputs.

    Raises
    ------
    TypeError, ValueError
        If the problem has no layers, or the last axis of `x` is not its dimension.

    References
    ----------
    X. Glorot, Y. Bengio, Understanding the difficulty of training deep feedforward neural networks, AISTATS 2010,
    https://proceedings.mlr.press/v9/glorot10a.html.

    Examples
    --------
    >>> import numpy as np
    >>> import fastgd as gd
    >>> network = gd.problems.mlp(*gd.datasets.iris(), hidden=(5,) * 6, activation="sigmoid")
    >>> norms = gd.layer_gradients(network, network.sample(100, seed=0))
    >>> norms.shape, bool(np.median(norms[:, 0] / norms[:, -1]) < 1e-3)  # the first layer hardly learns
    ((100, 7), True)
    """
    check_problem(problem)
    layers: Any = getattr(problem, "layers", None)
    if layers is None:
        raise TypeError(f"problem must have layers, as fastgd.problems.mlp(...) has; got {problem!r}")
    g = problem.gradient(x)
    return np.stack([np.sqrt(np.mean(g[..., place] ** 2, axis=-1)) for place in layers], axis=-1)
