"""Two small real data sets; `SOURCES.md` beside them says where they come from, and their licences (CC BY 4.0)."""

from __future__ import annotations

from importlib import resources

import numpy as np

from fastgd.checks import shown, true_or_false

__all__ = ["digits", "iris", "standardized"]


def __dir__() -> list[str]:
    return list(__all__)


def table(name: str, skip: int) -> tuple[np.ndarray, np.ndarray]:
    """The columns of a file but the last, and the last as integers."""
    with resources.as_file(resources.files(__name__) / name) as path:
        numbers = np.loadtxt(path, delimiter=",", skiprows=skip)
    return np.ascontiguousarray(numbers[:, :-1]), numbers[:, -1].astype(np.int64)


def iris(standardize: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Return Fisher's measurements of 150 irises of three species.

    Parameters
    ----------
    standardize : bool
        Give each column mean 0 and variance 1; else centimetres.

    Returns
    -------
    X : ndarray, shape (150, 4)
        Sepal length, sepal width, petal length, petal width.
    y : ndarray of int, shape (150,)
        0 setosa, 1 versicolor, 2 virginica.

    References
    ----------
    R. A. Fisher, The use of multiple measurements in taxonomic problems, doi:10.1111/j.1469-1809.1936.tb02137.x;
    UCI Machine Learning Repository, doi:10.24432/C56C76, CC BY 4.0.

    Examples
    --------
    >>> import fastgd as gd
    >>> X, y = gd.datasets.iris(standardize=False)
    >>> X[0], X.shape, y.shape
    (array([5.1, 3.5, 1.4, 0.2]), (150, 4), (150,))
    """
    X, y = table("iris.csv", skip=1)
    return (standardized(X) if true_or_false(standardize, "standardize") else X), y


def digits(standardize: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Return 1,797 handwritten digits of 8 x 8 pixels.

    Parameters
    ----------
    standardize : bool
        Give each pixel mean 0 and variance 1, and 0 where it never changes; else grey values from 0 to 16.

    Returns
    -------
    X : ndarray, shape (1797, 64)
        The pixels, row by row.
    y : ndarray of int, shape (1797,)
        The digit.

    References
    ----------
    E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository,
    doi:10.24432/C50P49, CC BY 4.0.

    Examples
    --------
    >>> import fastgd as gd
    >>> X, y = gd.datasets.digits()
    >>> X.shape, y[:5]
    ((1797, 64), array([0, 1, 2, 3, 4]))
    """
    X, y = table("digits.csv.gz", skip=0)
    return (standardized(X) if true_or_false(standardize, "standardize") else X), y


def standardized(X: np.ndarray, like: np.ndarray | None = None) -> np.ndarray:
    """Return the columns of `X` shifted and scaled to mean 0 and variance 1.

    Parameters
    ----------
    X : ndarray, shape (N, p)
        The data.
    like : ndarray, shape (M, p), optional
        Where mean and variance are taken from, such as the training data; by default `X`.

    Returns
    -------
    ndarray, shape (N, p)
        A column that does not change in `like` is only shifted.

    Examples
    --------
    >>> import numpy as np
    >>> import fastgd as gd
    >>> gd.datasets.standardized(np.array([[1.0, 5.0], [3.0, 5.0]]))
    array([[-1.,  0.],
           [ 1.,  0.]])
    """
    source = X if like is None else like
    for name, given in (("X", X), ("like", source)):
        if not isinstance(given, np.ndarray) or given.dtype.kind not in "iuf" or given.ndim not in (1, 2):
            raise TypeError(f"{name} must be an array of numbers of shape (N, p), got {shown(given)}")
        if np.ma.is_masked(given) or given.shape[1:] != X.shape[1:]:
            raise ValueError(f"{name} must have no masked entries and the columns of X, got {shown(given)}")
    spread = source.std(axis=0)
    return (X - source.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
