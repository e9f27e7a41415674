"""Calling a plain Python function on symbols, and recording what it computes.

Every operation that is not a sum gets a name of its own, ``v0, v1, ...``, and its operands are names again:
SymPy then sees small expressions only and has nothing to expand, so the derivative keeps the shape that the
user wrote.
"""

from __future__ import annotations

import math
import operator
import sys
import types
from collections import Counter
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, NoReturn

import numpy as np

from .functions import symbolic_functions

NUMBERED = "the number of the sample used like another number"
MAX_TRACED = 5_000  # operations of a call
MAX_OPERATIONS = 10_000  # of what is derived
LOOKED_AT = 20  # the place of one operation in so many is noted
MAX_FACTORS = 3
OPERATORS: dict[np.ufunc, Callable[..., Any]] = {
    np.add: operator.add, np.subtract: operator.sub, np.multiply: operator.mul, np.true_divide: operator.truediv,
    np.power: operator.pow, np.floor_divide: operator.floordiv, np.remainder: operator.mod, np.divmod: divmod,
}  # fmt: skip
COMPARISONS = {np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal}
KIND = "a look at the type of a value that depends on x (by type, isinstance, hasattr, match), which is another here"
COMPARED = (
    "a comparison of values that depend on x, as in if, min, max, sorted, np.where, fastgd.select, of which no "
    "gradient is derived (max(u, v) is 0.5 * (u + v + abs(u - v)), of which one is, and min(u, v) the same with - abs)"
)


class Refused(Exception):
    """Something was met that has no symbolic counterpart."""


class WholeArray(Refused):
    """An operation on an array was met, in a function that has to be scalar code."""


class TooLong(Refused):
    """Too many operations were met, each of which would be written out."""


class NotCompiled(Refused):
    """Something was met that cannot be compiled either, so that a gradient alone would not help.

    `by_hand` tells that of what is to be written in its place no gradient is derived either.
    """

    def __init__(self, what: str, by_hand: bool) -> None:
        super().__init__(what)
        self.by_hand = by_hand


class Tape:
    """The named intermediate values of one call, in the order in which they were computed.

    Attributes
    ----------
    definitions : dict
        Symbol to the expression that it stands for, over the parameters and earlier symbols.
    """

    def __init__(self) -> None:
        import sympy

        self.sympy = sympy
        self.functions = symbolic_functions()
        self.definitions: dict[Any, Any] = {}
        self.reads: dict[str, Any] = {}
        self._symbols: dict[Any, Any] = {}
        self.operations = 0
        self.places: Counter[tuple[types.CodeType, int]] = Counter()

    def point(self, dim: int) -> TracedPoint:
        """Return a point of `dim` symbols ``x0, x1, ...``."""
        symbols = [self.sympy.Symbol(f"x{i}", real=True) for i in range(dim)]
        return TracedPoint(self, symbols)

    def read(self, text: str) -> Traced:
        """Return the symbol of a number that is read from the data, such as ``d0[i, 3]``."""
        symbol = self.reads.setdefault(text, self.sympy.Symbol(f"e{len(self.reads)}", real=True))
        return Traced(self, (symbol,))

    def count(self) -> None:
        """Note one more operation, of some the place; refuse where there are too many."""
        self.operations += 1
        if self.operations % LOOKED_AT == 1:
            frame = sys._getframe(1)
            while frame.f_back is not None and (frame.f_globals.get("__name__") or "").startswith(__package__):
                frame = frame.f_back
            self.places[frame.f_code, frame.f_lineno] += 1
        if self.operations > MAX_TRACED:
            raise TooLong(f"more than {MAX_TRACED} operations on x, each of which is written out")

    def named(self, expression: Any) -> Any:
        """Return the symbol that stands for `expression`; equal expressions share one."""
        symbol = self._symbols.get(expression)
        if symbol is None:
            symbol = self.sympy.Symbol(f"v{len(self._symbols)}", real=True)
            self._symbols[expression] = symbol
            self.definitions[symbol] = expression
        return symbol

    def number(self, value: Any) -> Any:
        """Return a real number as an exact rational; a double is one."""
        if type(value) in (TracedPoint, TracedData):
            raise WholeArray("arithmetic with an array")
        if type(value) is SampleNumber:
            raise Refused(NUMBERED)
        if isinstance(value, (bool, np.bool_)):
            value = int(value)
        if isinstance(value, (int, np.integer)):
            return self.sympy.Integer(int(value))
        if isinstance(value, (float, np.floating)):
            if not math.isfinite(value):
                raise Refused(f"the constant {float(value)}")
            return self.sympy.Rational(*float(value).as_integer_ratio())
        if isinstance(value, Fraction):
            return self.sympy.Rational(value.numerator, value.denominator)
        if isinstance(value, (complex, np.complexfloating)):
            raise Refused(f"the complex number {value}")
        if isinstance(value, np.ndarray):
            raise WholeArray(f"arithmetic with an array of shape {value.shape}")
        raise Refused(f"an operation with a {type(value).__name__}")

    def plain(self, value: Any) -> Any:
        """Return a scalar of NumPy as a number of Python, which leaves arithmetic with a traced value to that."""
        if isinstance(value, np.floating):
            return float(value)
        return int(value) if isinstance(value, (np.integer, np.bool_)) else self.traced(value)

    def traced(self, value: Any) -> Traced:
        """Return a number or a traced value as a traced value."""
        return value if type(value) is Traced else Traced(self, (self.number(value),))

    def apply(self, name: str, *args: Any) -> Any:
        """Return the function called `name` in ``math`` of traced values."""
        self.count()
        atoms = [self.traced(a).atom() for a in args]
        return Traced(self, (self.named(self.functions[name](*atoms)),))


def refusal(what: str, kind: type[Refused] = Refused) -> Callable[..., NoReturn]:
    def refuse(self: Any, *args: Any, **kwargs: Any) -> NoReturn:
        raise kind(what)

    return refuse


class Traced:
    """A number that depends on the parameters: a sum of terms over the tape's symbols."""

    __slots__ = ("tape", "terms")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, tape: Tape, terms: tuple[Any, ...]) -> None:
        self.tape = tape
        self.terms = () if len(terms) == 1 and terms[0] == 0 else terms  # of a longer sum none is 0

    def factor(self) -> Any:
        """Return the value as one expression that is no sum."""
        if len(self.terms) == 1:
            return self.terms[0]
        total = self.tape.sympy.Add(*self.terms)
        value = self.tape.named(total) if total.is_Add else total
        self.terms = (value,) if value != 0 else ()  # what is added to it later begins from its name
        return value

    def atom(self) -> Any:
        """Return the value as one symbol or number."""
        value = self.factor()
        return value if value.is_Symbol or value.is_Number else self.tape.named(value)

    def __add__(self, other: Any) -> Traced:
        self.tape.count()
        return Traced(self.tape, self.terms + self.tape.traced(other).terms)

    def __radd__(self, other: Any) -> Traced:
        self.tape.count()
        return Traced(self.tape, self.tape.traced(other).terms + self.terms)

    def __sub__(self, other: Any) -> Traced:
        return self + -self.tape.traced(other)

    def __rsub__(self, other: Any) -> Traced:
        return other + -self

    def __neg__(self) -> Traced:
        return Traced(self.tape, tuple(-t for t in self.terms))

    def __pos__(self) -> Traced:
        return self

    def __mul__(self, other: Any) -> Traced:
        self.tape.count()
        factors = [side.factor() for side in (self, self.tape.traced(other))]
        # A product of many factors is built of named parts, or its derivative would grow with their square.
        factors = [self.tape.named(f) if f.is_Mul and len(f.args) > MAX_FACTORS else f for f in factors]
        return Traced(self.tape, (self.tape.sympy.Mul(*factors),))

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Traced:
        divisor = self.tape.traced(other)
        if not divisor.terms:
            raise ZeroDivisionError("division by zero")
        return self * divisor**-1

    def __rtruediv__(self, other: Any) -> Traced:
        return self.tape.traced(other) / self

    def __pow__(self, other: Any, modulus: Any = None) -> Traced:
        self.tape.count()
        if modulus is not None:
            raise Refused("pow() with a modulus")
        exponent = (
            self.tape.traced(other).atom() if self.tape.traced(other).terms else self.tape.sympy.Integer(0)
        )
        base = self.atom()
        if base.is_zero and not exponent.is_positive and not exponent.is_zero:
            raise ZeroDivisionError("0 to a negative or unknown power")
        if base.is_Number and exponent.is_Number:
            return self.tape.traced(float(base) ** float(exponent))
        return Traced(self.tape, (self.tape.sympy.Pow(base, exponent),))

    def __rpow__(self, other: Any) -> Traced:
        base = float(self.tape.number(other))
        if base <= 0.0:
            raise Refused(f"{base:g} to a power that depends on x")
        self.tape.count()
        constant = self.tape.functions["constant"](self.tape.number(other))
        return Traced(self.tape, (self.tape.named(self.tape.functions["power"](constant, self.atom())),))

    def __abs__(self) -> Traced:
        return self.tape.apply("fabs", self)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        """Take the arithmetic of a NumPy scalar with us for what it is, and refuse all other functions."""
        if ufunc in COMPARISONS:
            raise Refused(COMPARED)
        if ufunc not in OPERATORS or method != "__call__" or kwargs:
            raise Refused(
                f"{ufunc.__name__}, a function of NumPy or SciPy that is not called by its name; "
                "call it as in np.exp or math.exp"
            )
        return OPERATORS[ufunc](*(v if type(v) is Traced else self.tape.plain(v) for v in inputs))

    __float__ = refusal(
        "a conversion by float(), a write to an array made in the function, or a function of plain numbers; "
        "leave float() out, and in the place of an array take variables, or fastgd.scratch(x, n)"
    )
    __int__ = __index__ = refusal("a conversion to an integer, or an index that depends on x")
    __complex__ = refusal("a conversion by complex()")
    __bool__ = refusal("a branch on a value that depends on x")
    __lt__ = __le__ = __gt__ = __ge__ = refusal(COMPARED)
    __eq__ = __ne__ = refusal("a comparison (== or !=) of values that depend on x")
    __floordiv__ = __rfloordiv__ = refusal("an integer division (//)")
    __mod__ = __rmod__ = __divmod__ = __rdivmod__ = refusal("a remainder (%)")
    __round__ = __trunc__ = __floor__ = __ceil__ = refusal("a rounding")
    __iter__ = __len__ = refusal("a number used like a sequence")
    __str__ = __repr__ = __format__ = refusal("a text of a value that depends on x")
    __class__ = property(refusal(KIND))

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):
            raise AttributeError(name)
        raise Refused(f"the attribute {name} of a number that depends on x")

    __array__ = refusal("a conversion to an array", WholeArray)


class TracedPoint:
    """The point that the function is called with: symbols that can be read like a 1-D sequence."""

    def __init__(self, tape: Tape, symbols: list[Any]) -> None:
        self._symbols = symbols
        self._values = [Traced(tape, (s,)) for s in symbols]

    @property
    def symbols(self) -> list[Any]:
        """The symbols of the parameters."""
        return self._symbols

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[Traced]:
        return iter(self._values)

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):
            raise AttributeError(name)
        raise WholeArray(f"x.{name}, and x has only indices")

    def __getitem__(self, index: Any) -> Traced:
        if type(index) is slice:
            raise WholeArray("a slice of x")
        return self._values[operator.index(index)]

    __array__ = __array_ufunc__ = refusal("an array operation on x as a whole", WholeArray)
    __eq__ = __lt__ = __le__ = __gt__ = __ge__ = refusal("a comparison of x as a whole", WholeArray)
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __array__
    __truediv__ = __rtruediv__ = __pow__ = __rpow__ = __neg__ = __abs__ = __add__
    __matmul__ = __rmatmul__ = __add__
    __hash__ = None  # type: ignore[assignment]
    __class__ = property(refusal(KIND))


class SampleNumber:
    """The number of the sample that a loss is asked for: an index into the data, and nothing else."""

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __mod__ = __floordiv__ = __neg__ = refusal(
        "arithmetic with the number of the sample (give neighbours as data of their own, such as y[:-1] and y[1:])"
    )
    __lt__ = __le__ = __gt__ = __ge__ = __eq__ = __ne__ = __bool__ = refusal("a branch on the number of the sample")
    __index__ = __int__ = __float__ = refusal(NUMBERED)
    __str__ = __repr__ = __format__ = refusal(NUMBERED)
    __hash__ = None  # type: ignore[assignment]
    __class__ = property(refusal(KIND))


class TracedData:
    """An array of the data, of which single elements are read."""

    def __init__(self, tape: Tape, name: str, array: np.ndarray) -> None:
        self._tape, self._name = tape, name
        self._whole = array.dtype.kind in "biu"  # read as floats, as products of integers may leave 63 bits
        self.shape, self.ndim, self.size = array.shape, array.ndim, array.size

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> Traced:
        places = index if type(index) is tuple else (index,)
        if len(places) != self.ndim:
            raise Refused(f"{len(places)} of the {self.ndim} indices of an array of the data; read one number")
        words = [
            "i" if type(place) is SampleNumber else str(operator.index(place) % side)
            for place, side in zip(places, self.shape, strict=True)
        ]
        place = f"{self._name}[{', '.join(words)}]"
        return self._tape.read(f"1.0 * {place}" if self._whole else place)

    __iter__ = refusal("a loop over an array of the data; loop over range(len(...))", WholeArray)
    __array__ = __array_ufunc__ = refusal("an array operation on the data as a whole", WholeArray)
    __hash__ = None  # type: ignore[assignment]
    __class__ = property(refusal(KIND))


TRACED = (Traced, TracedPoint, TracedData, SampleNumber)  # their types are told by type(), as __class__ is refused
