"""What other libraries call our arguments, and what an error says of one that there is not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .errors import nearest

__all__ = ["HYPERPARAMETERS", "NO_BOUNDS", "PLACES", "called_here", "unknown_keyword"]

# What SciPy, PyTorch, Keras, Optax and scikit-learn call our arguments
NAMES = {
    "max_steps": "maxiter max_iter max_iters max_iterations niter n_iter num_iters iterations nit epochs n_epochs "
    "num_epochs steps n_steps num_steps nsteps maxfev maxfun max_nfev",
    "gtol": "tol tolerance g_tol grad_tol pgtol", "xtol": "tol tolerance x_tol xatol",
    "ftol": "tol tolerance f_tol fatol",
    "record": "callback history trace return_all retall", "progress": "callback verbose disp",
    "seed": "rng random_state random_seed", "threads": "n_jobs workers num_threads n_threads",
    "x0": "start starts init initial", "optimizer": "method", "dtype": "precision", "batch_size": "batch minibatch",
    "lr": "learning_rate eta step_size stepsize rate lr_schedule", "eps": "epsilon", "momentum": "mu beta beta1",
    "beta1": "b1 beta_1 betas", "beta2": "b2 beta_2 betas", "beta3": "b3 beta_3", "beta": "beta1 betas",
    "weight_decay": "l2 wd decay", "look_ahead": "nesterov lookahead", "line_search": "linesearch",
    "clip_norm": "clipnorm max_norm max_grad_norm", "clip_value": "clipvalue grad_clip",
    "fun": "f func function objective", "grad": "jac gradient fprime jacobian", "dim": "n ndim n_dim dims dimension",
    "bounds": "box domain limits", "data": "args", "minima": "minimum solution x_opt",
    "plane": "axes", "ax": "axes", "shape": "resolution grid_size grid_shape",
    "n_starts": "nstarts num_starts n_samples num_samples samples n_runs num_runs runs starts",
}  # fmt: skip
HYPERPARAMETERS = (
    "lr", "eps", "momentum", "beta1", "beta2", "beta3", "beta", "weight_decay", "clip_norm", "clip_value",
    "line_search",
)  # fmt: skip
# Where an argument belongs that was given elsewhere
PLACES = {
    "the optimizer, as in fastgd.Adam(lr=0.05)": HYPERPARAMETERS,
    "fastgd.minimize": (
        "max_steps", "gtol", "xtol", "ftol", "patience", "bound", "record", "average", "progress", "seed", "threads",
        "x0", "device", "dtype", "batch_size", "noise",
    ),
    "the problem, as in fastgd.Problem(fun, grad, dim=2, bounds=(-1, 1))": (
        "fun", "grad", "dim", "bounds", "data", "minima",
    ),
}  # fmt: skip
SHORT = 4  # letters; shorter names are near many others, as tol is near rtol
NO_BOUNDS = (
    "no descent is held within bounds or by constraints yet, and those of a problem, fastgd.Problem(..., bounds=), say "
    "where starts are drawn: add a penalty to the function, substitute the variables (x[0] = math.exp(u[0]) stays "
    "positive), or call scipy.optimize.minimize itself"
)
# Names that mean no argument here but another way: who takes and does not take what hears of it, and what
EXPLAINED: list[tuple[tuple[str, ...], set[str], set[str], str]] = [
    (("bounds", "box", "domain", "limits", "lb", "ub", "lower", "upper"), set(), {"bounds", "ax"}, NO_BOUNDS),
    (("constraints", "constraint", "project", "projection", "keep_feasible"), set(), set(), NO_BOUNDS),
    (
        ("method",), {"optimizer"}, set(),
        "here it is called optimizer, an object: fastgd.Adam(lr=0.05), or fastgd.SciPy('BFGS') for one of SciPy's",
    ),
    (
        ("decay", "rho", "decay_rate"), {"alpha"}, {"rho", "beta1"},
        "the decay rate of the average is called alpha here, and what shrinks the parameters weight_decay",
    ),
    (
        ("decay", "alpha", "decay_rate"), {"rho"}, {"alpha"},
        "the decay rate of the average is called rho here, and what shrinks the parameters weight_decay",
    ),
    (
        ("start", "starts"), {"x0", "n_starts"}, set(),
        "n_starts=1000 draws so many, and x0=points takes your own",
    ),
    (
        ("callback",), {"record", "progress"}, set(),
        "record=k keeps every k-th point, and progress=function hears of finished runs",
    ),
    (
        ("epochs", "n_epochs", "num_epochs"), {"max_steps", "batch_size"}, set(),
        "runs are counted in steps, and 3 epochs of n samples are max_steps=math.ceil(3 * n / batch_size)",
    ),
    (
        ("n_starts", *NAMES["n_starts"].split()), {"x0"}, {"n_starts"},
        "there is a run for each start, as in x0=problem.sample(1000)",
    ),
]  # fmt: skip


def called_here(name: str, known: Iterable[str]) -> list[str]:
    """What `name`, of this package or of another library, may be called among the names known here.

    Examples
    --------
    >>> from fastgd.keywords import called_here
    >>> called_here("learning_rate", ["lr", "beta1"])
    ['lr']
    """
    meant = [name, *(ours for ours, theirs in NAMES.items() if name in theirs.split())]
    return [each for each in meant if each in known]


def one_letter_more(name: str, known: Iterable[str]) -> str:
    """The first of the names that is `name` with one letter more; empty where none is, or `name` is very short.

    Examples
    --------
    >>> from fastgd.keywords import one_letter_more
    >>> one_letter_more("bound", ["dim", "bounds"]), one_letter_more("bounds", ["bound"])
    ('bounds', '')
    """
    if len(name) < SHORT:
        return ""
    return next((each for each in known if any(name == each[:k] + each[k + 1 :] for k in range(len(each)))), "")


def unknown_keyword(
    owner: str,
    name: str,
    known: Iterable[str],
    what: str = "argument",
    places: Mapping[str, tuple[str, ...]] = PLACES,
) -> str:
    """What an error says of an argument that there is not; the first of the places that knows it is named.

    In the text of a place, ``{name}`` stands for the name of the argument there.

    Examples
    --------
    >>> from fastgd.keywords import unknown_keyword
    >>> unknown_keyword("Adam", "learning_rate", ["lr", "beta1"])
    "Adam has no argument 'learning_rate'; here it is called lr."
    """
    known = list(known)
    here = called_here(name, known)
    start = f"{owner} has no {what} {name!r}"
    for names, taken, lacking, said in EXPLAINED:
        if name in names and taken <= set(known) and not lacking & set(known):
            return f"{start}: {said}."
    if here:
        return f"{start}; here it is called {' or '.join(here)}."
    if near := one_letter_more(name, known):  # before the places: Problem(bound=) means its bounds
        return f"{start}. Did you mean {near!r}?"
    for place, names in places.items():
        there = [name] if name in names else called_here(name, names)
        if there and not set(names) & set(known):
            return f"{start}: give {' or '.join(there)} to {place.replace('{name}', there[0])}."
    takes = f" It takes {', '.join(known)}." if len(known) <= 12 else ""
    return f"{start}.{nearest(name, known)}{takes}"
