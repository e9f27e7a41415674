"""What to write in the place of functions that no compiled code can call: those of SciPy, and of NumPy's arrays."""

from __future__ import annotations

__all__ = ["FORMULA", "write_instead"]

DENSITY = "math.exp(-0.5 * u * u) / math.sqrt(2.0 * math.pi)"
LENGTH = "write math.sqrt of a sum of squares, as in math.sqrt(x[0] ** 2 + x[1] ** 2)"
# Of a function that none of these is
FORMULA = "write it with math.*, or as a numba.njit function of plain arithmetic"
# By the end of the name with its module
INSTEAD = {
    "stats.norm.pdf": f"for norm.pdf(u) write {DENSITY}",
    "stats.norm.logpdf": "for norm.logpdf(u) write -0.5 * u * u - 0.5 * math.log(2.0 * math.pi)",
    "stats.norm.cdf": "for norm.cdf(u) write 0.5 * math.erfc(-u / math.sqrt(2.0))",
    "stats.norm.sf": "for norm.sf(u) write 0.5 * math.erfc(u / math.sqrt(2.0))",
    "special.ndtr": "for ndtr(u) write 0.5 * math.erfc(-u / math.sqrt(2.0))",
    "special.cbrt": "write np.cbrt",
    "special.factorial": "for factorial(u) write math.gamma(u + 1.0)",
    "special.gammaln": "write math.lgamma",
    "special.loggamma": "write math.lgamma",
    "special.expit": "for expit(u) write 1.0 / (1.0 + math.exp(-u))",
    "special.log_expit": "for log_expit(u) write -math.log1p(math.exp(-u)), which holds for u above -700",
    "special.logit": "for logit(u) write math.log(u / (1.0 - u))",
    "special.xlogy": "for xlogy(u, v) write u * math.log(v), which holds for v above 0",
    "special.xlog1py": "for xlog1py(u, v) write u * math.log1p(v), which holds for v above -1",
    "special.entr": "for entr(u) write -u * math.log(u), which holds for u above 0",
    "special.exprel": "for exprel(u) write math.expm1(u) / u, which holds for u other than 0",
    "linalg.norm": LENGTH,
    "distance.euclidean": LENGTH,
}

# Functions of SciPy that math has under the same name, and Numba compiles; it has others that Numba does not know
OF_MATH = ("erf", "erfc", "exp2", "expm1", "gamma", "log1p")


def write_instead(name: str) -> str:
    """What to write in the place of a function, whose name has its module; empty where nothing is known.

    Examples
    --------
    >>> from fastgd.jit.outside import write_instead
    >>> write_instead("scipy.special.erf"), write_instead("scipy.special.expit"), write_instead("scipy.special.j0")
    ('write math.erf', 'for expit(u) write 1.0 / (1.0 + math.exp(-u))', '')
    """
    for end, said in INSTEAD.items():
        if name.endswith(f".{end}"):
            return said
    if ".stats." in name:
        return f"write its formula, as in {DENSITY} for norm.pdf(u)"
    last = name.rpartition(".")[2]
    return f"write {'np' if last == 'exp2' else 'math'}.{last}" if name.startswith("scipy.") and last in OF_MATH else ""
