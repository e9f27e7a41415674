"""The problem that is descended: value, gradient, dimension, box and known minima."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike

from fastgd import evaluate, symbolic
from fastgd.boxes import (
    GridShape,
    PlaneGrid,
    box_points,
    box_text,
    checked_bounds,
    checked_dim,
    checked_minima,
    grid_shape,
    normal_points,
    plane_axes,
    point_through,
    positive_integer,
    real_array,
    whole_seed,
)
from fastgd.calls import explain_calls
from fastgd.constants import Constants
from fastgd.errors import check_choice
from fastgd.guards import check_gradient, check_value, checked_data, described, plain_function
from fastgd.jit.by_value import ByValue
from fastgd.memory import check_points

__all__ = ["Problem"]

METHODS = ("uniform", "sobol", "latin", "grid", "normal")


class Problem:
    """A function to minimize, with what is known about it.

    Parameters
    ----------
    fun : callable
        ``fun(x, *data) -> float``, a plain Python function of one point. It may use ``x[i]``, ``x[-1]``,
        ``len(x)``, loops, ``+ - * / **``, ``abs``, ``math.*`` and scalar ``np.*``; no slices and no array
        operations.
    grad : callable, optional
        ``grad(x, out, *data)``, written in the same way. It writes every component of ``out``, which holds
        nothing of use before. Without it, the gradient is derived from `fun` at first use.
    dim : int
        Number of parameters, at least 1.
    bounds : array_like, optional
        The box of the starts and the maps; a descent may leave it. A pair of numbers ``(low, high)`` for all
        parameters; or rows, an array of shape ``(dim, 2)`` or a list of pairs ``(low, high)``, one for each; or a
        ``scipy.optimize.Bounds(lows, highs)``. A pair ``(lows, highs)`` is refused: of two parameters it would
        have two readings.
    data : tuple, optional
        Constants that come as further arguments to `fun` and `grad`: numbers and arrays. Arrays are copied as
        float64, or int64 where they hold integers, and cannot be written to.
    minima : array_like, optional
        Known minima, shape ``(k, dim)``, the global one first. They may lie outside the box.
    name : str, optional
        What to call it; by default the name of `fun`.

    Attributes
    ----------
    dim : int
        Number of parameters.
    bounds : ndarray of shape (dim, 2), or None
        The box, one row (low, high) for each parameter.
    data : tuple
        The constants.
    minima : ndarray of shape (k, dim), or None
        The known minima.
    name : str
        The name.
    layers : tuple of slice, or None
        Where groups of parameters that belong together stand, such as the layers of a network.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described. `fun` and `grad` are called here once in plain Python, near the
        middle of the box, so that a `fun` that returns no number or a `grad` that writes past the end is
        found out before any work. Where their arithmetic fails at that point, up to three others are tried.

    Warns
    -----
    UserWarning
        If `fun` never reads some of the `dim` places of its point, at several points of the box.

    Examples
    --------
    >>> import fastgd as gd
    >>> problem = gd.Problem(lambda x: (x[0] - 1) ** 2 + 2 * x[1] ** 2, dim=2, bounds=(-3, 3), name="bowl")
    >>> problem
    Problem('bowl', dim=2, bounds=(-3, 3), grad=to be derived)
    >>> float(problem.value([3.0, 1.0]))
    6.0
    >>> problem.gradient([[3.0, 1.0], [1.0, 0.0]])
    array([[4., 4.],
           [0., 0.]])
    """

    @explain_calls()
    def __init__(
        self,
        fun: Callable[..., Any],
        grad: Callable[..., Any] | None = None,
        *,
        dim: int,
        bounds: Any = None,
        data: tuple[Any, ...] = (),
        minima: ArrayLike | None = None,
        name: str | None = None,
    ) -> None:
        self._fun = plain_function(fun, "fun")
        self._grad = None if grad is None else plain_function(grad, "grad")
        self._describe(grad is None, dim, bounds, data, minima, fun.__name__ if name is None else name)
        check_value(self._fun, self.dim, self.bounds, self.data)
        if self._grad is not None:
            check_gradient(self._grad, self.dim, self.bounds, self.data)
        self._constants = self._read_constants()

    def _read_constants(self) -> Constants:
        """Note what the functions read from around them."""
        return Constants([self._fun, None if self.has_derived_gradient else self._grad])

    def _describe(
        self, derived: bool, dim: int, bounds: Any, data: tuple[Any, ...], minima: ArrayLike | None, name: Any
    ) -> None:
        """Check and keep what is known of the problem besides its functions."""
        self._hess: Callable[..., Any] | None = None
        self.layers: Any = None
        self.has_derived_gradient = derived
        self.dim = checked_dim(dim)
        self.bounds = None if bounds is None else checked_bounds(bounds, self.dim)
        self.data = checked_data(data)
        self.minima = None if minima is None else checked_minima(minima, self.dim)
        if not isinstance(name, str):
            raise TypeError(f"name must be a string, not {described(name)}.")
        self.name = name.strip("<>")

    @property
    def fun(self) -> Callable[..., Any]:
        """The function, as given.

        Raises
        ------
        ValueError
            If a constant that the functions read from around them is another than when the problem was made. So do all
            the functions of a problem, and what calls them.
        """
        self._constants.check()
        return self._fun

    @property
    def grad(self) -> Callable[..., Any]:
        """The gradient, a plain function ``grad(x, out, *data)``: as given, or derived at first access.

        Raises
        ------
        DerivationError
            If it has to be derived from `fun` and cannot be.
        """
        self._constants.check()
        if self._grad is None:
            self._grad = symbolic.derive_gradient(self._fun, self.dim, self.data, self.bounds)
        return self._grad

    @property
    def hess(self) -> Callable[..., Any]:
        """The second derivatives, a plain function ``hess(x, out, *data)`` that writes them row by row.

        They are derived from `fun` at first access.

        Raises
        ------
        DerivationError
            If they cannot be derived.
        """
        self._constants.check()
        if self._hess is None:
            self._hess = self._derive_hessian()
        return self._hess

    @explain_calls()
    def value(self, x: ArrayLike) -> np.ndarray:
        """Return the value at each point.

        Parameters
        ----------
        x : array_like of shape (*batch, dim)
            The points.

        Returns
        -------
        ndarray of shape (*batch,)
            The values.

        Raises
        ------
        ValueError
            If the last axis of `x` is not `dim` long.

        Examples
        --------
        >>> import fastgd as gd
        >>> gd.problems.himmelblau().value([[3.0, 2.0], [0.0, 0.0]])
        array([  0., 170.])
        """
        return evaluate.value(self.fun, self._points(x), self.data)

    @explain_calls()
    def gradient(self, x: ArrayLike) -> np.ndarray:
        """Return the gradient at each point.

        Parameters
        ----------
        x : array_like of shape (*batch, dim)
            The points.

        Returns
        -------
        ndarray of shape (*batch, dim)
            The gradients.

        Raises
        ------
        ValueError
            If the last axis of `x` is not `dim` long.
        DerivationError
            If the gradient has to be derived from `fun` and cannot be.

        Examples
        --------
        >>> import fastgd as gd
        >>> gd.problems.himmelblau().gradient([[3.0, 2.0], [0.0, 0.0]])
        array([[  0.,   0.],
               [-14., -22.]])
        """
        return evaluate.gradient(self.grad, self._points(x), self.data)

    @explain_calls()
    def hessian(self, x: ArrayLike) -> np.ndarray:
        """Return the matrix of second derivatives at each point, derived from `fun`.

        Parameters
        ----------
        x : array_like of shape (*batch, dim)
            The points.

        Returns
        -------
        ndarray of shape (*batch, dim, dim)
            The Hessians, symmetric to the last bit.

        Raises
        ------
        ValueError
            If the last axis of `x` is not `dim` long.
        DerivationError
            If it cannot be derived.

        Examples
        --------
        >>> import fastgd as gd
        >>> gd.problems.himmelblau().hessian([3.0, 2.0])
        array([[74., 20.],
               [20., 34.]])
        """
        return evaluate.hessian(self.hess, self._points(x), self.data)

    def _derive_hessian(self) -> Callable[..., Any]:
        return symbolic.derive_hessian(self._fun, self.dim, self.data, self.bounds)

    @explain_calls()
    def sample(self, n: int, seed: int = 0, method: str = "uniform") -> np.ndarray:
        """Draw starts.

        Parameters
        ----------
        n : int
            How many, at least 1.
        seed : int
            Not negative. The same seed draws the same points; "grid" does not use it.
        method : {"uniform", "sobol", "latin", "grid", "normal"}
            "uniform": independent and uniform in the box. "sobol": the first `n` points of a scrambled Sobol'
            sequence. "latin": a Latin hypercube. "grid": a regular grid with the same number k of points
            along each axis, the sides of the box included, so `n` must be ``k**dim``; the last parameter runs
            fastest. "normal": independent and normal around the middle of the box, with a quarter of its
            width as the standard deviation, so one start in 22 for each parameter lies outside the box;
            without a box, the standard normal distribution.

        Returns
        -------
        ndarray of shape (n, dim)
            The points.

        Raises
        ------
        ValueError
            If an argument is out of range, or the problem has no box and `method` is not "normal".

        Notes
        -----
        "sobol" and "latin" are those of :mod:`scipy.stats.qmc`.

        Examples
        --------
        >>> import fastgd as gd
        >>> problem = gd.problems.himmelblau()
        >>> problem.sample(1000, seed=1, method="sobol").shape
        (1000, 2)
        >>> problem.sample(4, method="grid")
        array([[-6., -6.],
               [-6.,  6.],
               [ 6., -6.],
               [ 6.,  6.]])
        """
        n = positive_integer(n, "n")
        check_points("n", n, self.dim)
        seed = whole_seed(seed)
        check_choice("method", method, METHODS)
        if method == "normal":
            return normal_points(n, self.dim, seed, self.bounds)
        if self.bounds is None:
            raise ValueError(
                f'method="{method}" draws from the box, and {self.name} has none: '
                f'give Problem(..., bounds=(low, high)), or use method="normal".'
            )
        return box_points(n, self.bounds, seed, method)

    @explain_calls()
    def grid(
        self, shape: GridShape, plane: tuple[int, int] = (0, 1), at: ArrayLike | None = None, bounds: Any = None
    ) -> np.ndarray:
        """Return a regular grid of points in a plane spanned by two of the parameters.

        The point ``[a, b]`` has ``x[plane[0]]`` at step a and ``x[plane[1]]`` at step b, like
        ``np.meshgrid(..., indexing="ij")``. The grid includes the sides of the box.

        Parameters
        ----------
        shape : int or (int, int)
            Number of points along ``plane[0]`` and ``plane[1]``; one int for both.
        plane : (int, int)
            The two parameters that vary; negative ones count from the end. Not used for ``dim=1``.
        at : array_like of shape (dim,), optional
            Where the other parameters stay; by default the first known minimum, else the middle of the box.
        bounds : array_like, optional
            Sides of the grid, read as those of `Problem`: a pair ``(low, high)`` for both axes, or one for each
            of the two. By default the sides of the problem's box.

        Returns
        -------
        ndarray of shape (*shape, dim)
            The points.

        Raises
        ------
        ValueError, TypeError
            If an argument does not fit, or there are no bounds, or nothing says where the other parameters
            stay.

        Examples
        --------
        >>> import fastgd as gd
        >>> points = gd.problems.himmelblau().grid((3, 5))
        >>> points.shape
        (3, 5, 2)
        >>> points[2, 1]
        array([ 6., -3.])
        >>> gd.problems.rosenbrock(dim=4).grid((2, 2), plane=(1, -1), bounds=(0, 5))[0, 1]
        array([1., 0., 1., 5.])
        """
        return self._grid(shape, plane, at, bounds, 8 * self.dim).points()

    def _grid(
        self, shape: GridShape, plane: tuple[int, int], at: ArrayLike | None, bounds: Any, each: int
    ) -> PlaneGrid:
        """Return the grid that `grid` makes the points of; each is going to take so many bytes."""
        axes = plane_axes(plane, self.dim)
        sizes = grid_shape(shape, len(axes))
        check_points("shape", sizes, self.dim, "give fewer along each axis", each)
        if bounds is not None:
            box = checked_bounds(bounds, len(axes))
        elif self.bounds is not None:
            box = self.bounds[list(axes)]
        else:
            raise ValueError(
                f"bounds must be given, as {self.name} has no box: write bounds=(-1, 1) here or in Problem(...)."
            )
        return PlaneGrid(sizes, axes, box, point_through(at, axes, self.dim, self.minima, self.bounds, self.name))

    def __call__(self, *args: Any) -> NoReturn:
        """Raise TypeError: a problem has several functions."""
        raise TypeError("a Problem is not called itself: write problem.value(x) or problem.gradient(x)")

    def _points(self, x: ArrayLike) -> np.ndarray:
        """Return `x` as a C-contiguous float64 array of shape (*batch, dim)."""
        points = np.ascontiguousarray(real_array(x, "x"))
        if np.ndim(x) == 0 or points.shape[-1] != self.dim:
            raise ValueError(
                f"x must have shape (*batch, {self.dim}), as {self.name} has {self.dim} "
                f"parameter{'s' if self.dim > 1 else ''}; it has shape {np.shape(x)}."
            )
        return points

    def __repr__(self) -> str:
        parts = [repr(self.name), f"dim={self.dim}"]
        if self.bounds is not None:
            parts.append(f"bounds={box_text(self.bounds)}")
        if self.minima is not None:
            parts.append(f"minima={len(self.minima)}")
        if self.has_derived_gradient:
            parts.append("grad=derived" if self._grad is not None else "grad=to be derived")
        return f"Problem({', '.join(parts)})"

    def _made_anew(self) -> list[str]:
        """Functions that are made here, and that another process makes anew."""
        return ["_hess", "_grad"] if self.has_derived_gradient else ["_hess"]

    def __getstate__(self) -> dict[str, Any]:
        state = {**self.__dict__, **dict.fromkeys(self._made_anew()), "_constants": None}
        functions = {name: each for name, each in state.items() if callable(each)}
        return {**state, **dict.fromkeys(functions), "functions": ByValue(functions)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.__dict__.update(self.__dict__.pop("functions").functions)
        self._constants = self._read_constants()
