"""Gaussian mixtures: the likelihood of samples that come from several clusters."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastgd.boxes import positive_integer, real_array, whole_seed
from fastgd.calls import explain_calls
from fastgd.errors import check_choice
from fastgd.finite_sum import FiniteSum
from fastgd.jit.gather import scratch
from fastgd.jit.options import inlined
from fastgd.memory import check_points

from .first_centres import some_samples, spread_samples
from .softmax import make_softmax
from .tables import checked_penalty, checked_samples

__all__ = ["Mixture", "gaussian_mixture"]

COVARIANCES = ("spherical", "diagonal")
INITIALIZERS = ("k-means++", "points", "normal")
LOG_2PI = math.log(2.0 * math.pi)


def make_mixture(components: int, p: int, diagonal: bool, floored: bool) -> tuple[Any, Any]:
    """Loss and gradient of a sample; the parameters are components - 1 logits, the means, the log deviations."""
    means, widths = components - 1, components - 1 + components * p
    per_component = p if diagonal else 1
    variances = components * per_component
    shift, log_sum = make_softmax(components)

    @inlined
    def logits(x, a):
        """Those of all components into `a`, the largest taken from them; that of the first is 0."""
        a[0] = 0.0 * x[0]
        for k in range(1, components):
            a[k] = x[k - 1]
        return shift(a, 0)

    @inlined
    def densities(x, i, X, floor, z, precision):
        """The logit and the logarithm of the density at sample i of each component, less p/2 log 2π, into `z`."""
        for k in range(components):
            z[k] = x[k - 1] if k > 0 else 0.0 * x[0]
            for d in range(p):
                place = k * per_component + (d if diagonal else 0)
                if diagonal or d == 0:
                    variance = math.exp(2.0 * x[widths + place])
                    if floored:
                        variance = variance + floor
                        log_variance = math.log(variance)
                    else:
                        log_variance = 2.0 * x[widths + place]
                    precision[place] = 1.0 / variance
                    z[k] = z[k] - (0.5 if diagonal else 0.5 * p) * log_variance
                r = X[i, d] - x[means + k * p + d]
                z[k] = z[k] - 0.5 * r * r * precision[place]

    def value(x, i, X, floor):
        z, precision, a = scratch(x, components), scratch(x, variances), scratch(x, components)
        densities(x, i, X, floor, z, precision)
        top = shift(z, 0)
        largest = logits(x, a)
        return 0.5 * p * LOG_2PI + (largest - top) + (log_sum(a, 0) - log_sum(z, 0))

    def gradient(x, i, out, X, floor):
        z, precision, a = scratch(x, components), scratch(x, variances), scratch(x, components)
        densities(x, i, X, floor, z, precision)
        shift(z, 0)
        logits(x, a)
        of_sample, of_all = log_sum(z, 0), log_sum(a, 0)
        for k in range(components):
            responsibility = math.exp(z[k] - of_sample)
            if k > 0:
                out[k - 1] += math.exp(a[k] - of_all) - responsibility
            for d in range(p):
                place = k * per_component + (d if diagonal else 0)
                r = X[i, d] - x[means + k * p + d]
                scaled = r * precision[place]
                out[means + k * p + d] -= responsibility * scaled
                free = 1.0 - floor * precision[place] if floored else 1.0
                out[widths + place] += responsibility * (1.0 - r * scaled) * free

    return value, gradient


class Mixture(FiniteSum):
    """The mean negative log likelihood of a Gaussian mixture; made by `gaussian_mixture`.

    Attributes
    ----------
    components : int
        Their number K.
    covariance : str
        "spherical" or "diagonal".
    reg_covar : float
        What is added to each variance.
    """

    components: int
    covariance: str
    reg_covar: float

    @property
    def _widths(self) -> tuple[int, ...]:
        """The shape of the standard deviations."""
        p = self.data[0].shape[1]
        return (self.components, p) if self.covariance == "diagonal" else (self.components,)

    def sample(self, n: int, seed: int = 0, method: str = "k-means++") -> np.ndarray:
        """Draw starts: means by an initializer, equal weights, and the standard deviations of the data.

        Parameters
        ----------
        n : int
            How many, at least 1.
        seed : int
            Not negative.
        method : {"k-means++", "points", "normal"}
            "k-means++": means at samples, each drawn with a probability in proportion to its squared distance from the
            nearest one drawn before (Arthur and Vassilvitskii, 2007). "points": means at different samples, all
            equally likely. "normal": means from the normal distribution that has the mean and the standard
            deviations of the data.

        Returns
        -------
        ndarray of shape (n, dim)
            The points.

        Raises
        ------
        TypeError, ValueError
            If an argument is out of range.

        References
        ----------
        D. Arthur, S. Vassilvitskii, k-means++: the advantages of careful seeding, SODA 2007, 1027-1035,
        doi:10.5555/1283383.1283494.

        Examples
        --------
        >>> import fastgd as gd
        >>> problem = gd.problems.gaussian_mixture([[0.0], [1.0], [8.0], [9.0]], components=2)
        >>> weights, means, deviations = problem.parameters(problem.sample(100, seed=0, method="points"))
        >>> means.shape, float(means.min()), float(means.max())
        ((100, 2, 1), 0.0, 9.0)
        """
        n, seed = positive_integer(n, "n"), whole_seed(seed)
        check_points("n", n, self.dim)
        check_choice("method", method, INITIALIZERS, " for a mixture")
        X, generator = self.data[0], np.random.default_rng(seed)
        variances = X.var(axis=0)
        if method == "normal":
            means = X.mean(axis=0) + np.sqrt(variances) * generator.standard_normal((n, self.components, X.shape[1]))
        else:
            draw = some_samples if method == "points" else spread_samples
            means = X[draw(X, generator.random((n, self.components)))]
        variances = variances if self.covariance == "diagonal" else variances.mean()
        weights = np.full(self.components, 1.0 / self.components)
        return self.point(weights, means, np.sqrt(np.broadcast_to(variances + self.reg_covar, self._widths)))

    def point(self, weights: ArrayLike, means: ArrayLike, deviations: ArrayLike) -> np.ndarray:
        """Return the parameters x of mixtures; what `parameters` takes apart.

        Parameters
        ----------
        weights : array_like, shape (*batch, K)
            The weights of the components, above 0; only their ratios count.
        means : array_like, shape (*batch, K, p)
            The means.
        deviations : array_like, shape (*batch, K), or (*batch, K, p) for diagonal covariances
            The standard deviations, at least the root of `reg_covar`; those just there become a little larger.

        Returns
        -------
        ndarray, shape (*batch, dim)
            The points, with the batch shapes broadcast together.

        Raises
        ------
        ValueError
            If a shape does not fit, or a number is out of range.

        Examples
        --------
        >>> import fastgd as gd
        >>> problem = gd.problems.gaussian_mixture([[0.0], [1.0], [8.0], [9.0]], components=2, reg_covar=0)
        >>> problem.point([0.5, 0.5], [[0.5], [8.5]], [1.0, 1.0])
        array([0. , 0.5, 8.5, 0. , 0. ])
        """
        K, p = self.components, self.data[0].shape[1]
        given = real_array(weights, "weights"), real_array(means, "means"), real_array(deviations, "deviations")
        shapes = (K,), (K, p), self._widths
        for name, array, shape in zip(("weights", "means", "deviations"), given, shapes, strict=True):
            if array.shape[-len(shape) :] != shape or not np.isfinite(array).all():
                wanted = "".join(f", {length}" for length in shape)
                raise ValueError(f"{name} must be finite, of shape (*batch{wanted}), got shape {array.shape}")
        weights, means, deviations = given
        if not (weights > 0).all():
            raise ValueError("weights must be above 0: a component of weight 0 has no logit")
        room = np.square(deviations) - self.reg_covar
        if not (room > -1e-9 * self.reg_covar).all() or not (deviations > 0).all():
            least = f"at least {math.sqrt(self.reg_covar):g}, the root of reg_covar" if self.reg_covar else "above 0"
            raise ValueError(f"deviations must be {least}, got {deviations.min():g}")
        widths = 0.5 * np.log(np.maximum(room, 1e-6 * np.square(deviations)))
        parts = (
            np.log(weights[..., 1:]) - np.log(weights[..., :1]),  # a quotient may overflow
            means.reshape(*means.shape[:-2], -1),
            widths.reshape(*widths.shape[: -len(self._widths)], -1),
        )
        batch = np.broadcast_shapes(*(part.shape[:-1] for part in parts))
        return np.concatenate([np.broadcast_to(part, (*batch, part.shape[-1])) for part in parts], axis=-1)

    def parameters(self, x: ArrayLike) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return weights, means and standard deviations of mixtures.

        Parameters
        ----------
        x : array_like, shape (*batch, dim)
            Parameters of the mixtures.

        Returns
        -------
        weights : ndarray, shape (*batch, K)
            They sum to 1.
        means : ndarray, shape (*batch, K, p)
            The means.
        deviations : ndarray, shape (*batch, K), or (*batch, K, p) for diagonal covariances
            The standard deviations, with `reg_covar` in them.

        Raises
        ------
        ValueError
            If the last axis of `x` is not `dim` long.
        """
        points = self._points(x)
        K, p, batch = self.components, self.data[0].shape[1], points.shape[:-1]
        logits, means, widths = np.split(points, [K - 1, K - 1 + K * p], axis=-1)
        logits = np.concatenate([np.zeros((*batch, 1)), logits], axis=-1)
        weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
        deviations = np.sqrt(np.exp(2.0 * widths) + self.reg_covar)
        weights /= weights.sum(axis=-1, keepdims=True)
        return weights, means.reshape(*batch, K, p), deviations.reshape(*batch, *self._widths)

    def responsibilities(self, x: ArrayLike, X: ArrayLike | None = None) -> np.ndarray:
        """Return the probability that a sample comes from each component.

        Parameters
        ----------
        x : array_like, shape (*batch, dim)
            Parameters of the mixtures.
        X : array_like, shape (N, p), optional
            Samples; by default those of the problem.

        Returns
        -------
        ndarray, shape (*batch, N, K)
            They sum to 1 over the components.

        Raises
        ------
        ValueError
            If a shape does not fit.

        Examples
        --------
        >>> import fastgd as gd
        >>> problem = gd.problems.gaussian_mixture([[0.0], [1.0], [8.0], [9.0]], components=2)
        >>> problem.responsibilities(problem.point([0.5, 0.5], [[0.5], [8.5]], [1.0, 1.0])).round(3)
        array([[1., 0.],
               [1., 0.],
               [0., 1.],
               [0., 1.]])
        """
        table = self.data[0] if X is None else checked_samples(X)
        if table.shape[1] != self.data[0].shape[1]:
            raise ValueError(f"X must have shape (N, {self.data[0].shape[1]}), got {table.shape}")
        weights, means, deviations = self.parameters(x)
        if self.covariance == "spherical":
            deviations = np.broadcast_to(deviations[..., None], means.shape)
        distance = (table[:, None, :] - means[..., None, :, :]) / deviations[..., None, :, :]
        with np.errstate(divide="ignore"):  # a weight may have fallen to 0
            z = (np.log(weights) - np.log(deviations).sum(axis=-1))[..., None, :] - 0.5 * np.square(distance).sum(-1)
        share = np.exp(z - z.max(axis=-1, keepdims=True))
        return share / share.sum(axis=-1, keepdims=True)


@explain_calls()
def gaussian_mixture(X: Any, components: int = 2, *, covariance: str = "spherical", reg_covar: float = 1e-6) -> Mixture:
    r"""The negative log likelihood of a Gaussian mixture, a mean over samples.

    .. math::

        f(x) = -\frac1N \sum_i \log \sum_{k=0}^{K-1} \pi_k \prod_{d=0}^{p-1}
        \frac{1}{\sqrt{2 \pi v_{kd}}} \exp\left(-\frac{(X_{id} - \mu_{kd})^2}{2 v_{kd}}\right), \qquad
        \pi_k = \frac{e^{a_k}}{\sum_j e^{a_j}}, \qquad v_{kd} = e^{2 s_{kd}} + \varepsilon

    No parameter is bounded: weights are the softmax of logits, the first of which is 0, so that each mixture has one
    point; and the variances v are exponentials, over a small floor. The parameters x are one row: the K - 1 logits
    :math:`a_1, a_2, \dots`, the means :math:`\mu` component by component, shape (K, p), then the logarithms s of the
    standard deviations, one for each component, shape (K,), or for diagonal covariances one for each of its
    coordinates, shape (K, p). `Mixture.point` and `Mixture.parameters` go from one to the other.

    The components can change places, so there are up to K! copies of each minimum. Besides the best ones there are
    poor ones: two components that share one cluster, and one that covers two (see the example). And a component can
    shrink to a single sample: a pit that is as narrow as the root of the floor, and deeper than its surroundings by
    about :math:`\tfrac{p}{2N} \log \varepsilon^{-1}`, so that the lowest value is not always the best fit.

    Parameters
    ----------
    X : array_like, shape (N, p)
        One row a sample.
    components : int
        Their number K, from 1 to N.
    covariance : {"spherical", "diagonal"}
        Whether a component has one variance, or one for each coordinate.
    reg_covar : float
        The floor :math:`\varepsilon \ge 0` that is added to each variance, in units of the squares of X. With 0 the
        likelihood has no bound.

    Returns
    -------
    Mixture
        A `FiniteSum`; ``sample(method=...)`` draws from the initializers "k-means++", "points" and "normal". For a
        single component, `minima` has its closed form.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, or the samples have no spread and `reg_covar` is 0.

    References
    ----------
    C. M. Bishop, Pattern Recognition and Machine Learning (2006), chapter 9. On the poor minima: C. Jin, Y. Zhang, S.
    Balakrishnan, M. J. Wainwright, M. I. Jordan, Local maxima in the likelihood of Gaussian mixture models: structural
    results and algorithmic consequences, NeurIPS 2016, arXiv:1609.00978.

    Examples
    --------
    Three clusters, with two minima: in the poor one the first component covers two of them, and the other two share
    the third.

    >>> import numpy as np
    >>> import fastgd as gd
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal(centre, 1.0, (50, 1)) for centre in (-10.0, 0.0, 10.0)])
    >>> problem = gd.problems.gaussian_mixture(X, components=3)
    >>> good = problem.point([1, 1, 1], [[-10], [0], [10]], [1, 1, 1])
    >>> poor = problem.point([1, 1, 1], [[-5], [9], [11]], [5, 1, 1])
    >>> runs = gd.minimize(problem, [good, poor], gd.LBFGS())
    >>> runs.fun.round(2)
    array([2.47, 3.08])
    >>> weights, means, deviations = problem.parameters(runs.x)
    >>> means[..., 0].round(1)
    array([[-9.9,  0. , 10. ],
           [-4.8,  9.3, 10.6]])
    >>> gd.classify(problem, runs.x).kind.tolist()
    ['minimum', 'minimum']
    """
    table = checked_samples(X)
    K, p = positive_integer(components, "components"), table.shape[1]
    if len(table) < K:
        raise ValueError(f"components must be at most the {len(table)} samples, got {K}")
    check_choice("covariance", covariance, COVARIANCES)
    floor, diagonal = checked_penalty(reg_covar, "reg_covar"), covariance == "diagonal"
    variances = table.var(axis=0) if diagonal else table.var(axis=0).mean(keepdims=True)
    if floor == 0 and not variances.all():
        which = f"column {int(variances.argmin())} of X is" if diagonal else "the samples X are"
        raise ValueError(f"reg_covar must be above 0, as {which} constant and the likelihood would have no maximum")
    minima = None
    if K == 1 and (variances > floor).all():
        minima = np.concatenate([table.mean(axis=0), 0.5 * np.log(variances - floor)])
    value, gradient = make_mixture(K, p, diagonal, floor > 0)
    dim = K - 1 + K * p + (K * p if diagonal else K)
    problem = Mixture(value, gradient, data=(table, floor), dim=dim, minima=minima, name="gaussian_mixture")
    problem.components, problem.covariance, problem.reg_covar = K, covariance, floor
    return problem
