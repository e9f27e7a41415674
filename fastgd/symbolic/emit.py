"""Python source of a program of named expressions: straight-line scalar code, common subexpressions once."""

from __future__ import annotations

import math
from typing import Any

from . import functions
from .derive import Program, in_order
from .trace import MAX_OPERATIONS, Refused, TooLong

SAME_NAME = (*functions.SAME_NAME, "expm1", "log1p", "log2", "log10")
CALLS = {name: name for name in SAME_NAME}
CALLS |= {"Absolute": "fabs", "Copysign": "copysign", "Hypotenuse": "hypot", "Angle": "atan2"}
MAX_INTEGER_POWER = 1024
MANY_ZEROS = 8


class Emitter:
    """Writes assignments, one line each, and counts the operations in them."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.names: dict[Any, str] = {}
        self.operations = 0
        self._powers: dict[tuple[str, int], str] = {}
        self._roots: dict[str, str] = {}

    def count(self, number: int = 1) -> None:
        self.operations += number
        if self.operations > MAX_OPERATIONS:
            raise TooLong(f"a derivative of more than {MAX_OPERATIONS} operations, each of which is written out")

    def assign(self, text: str, name: str | None = None) -> str:
        """Give a piece of source a name of its own."""
        name = name or f"r{len(self.lines)}"
        self.lines.append(f"{name} = {text}")
        return name

    def name_of(self, expression: Any) -> str:
        """Return a name or literal for an expression, assigning it first where needed."""
        text = self.text(expression)
        return text if text.isidentifier() or expression.is_number else self.assign(text)

    def text(self, expression: Any) -> str:
        """Return source for an expression."""
        if expression.is_Symbol:
            return self.names.get(expression, expression.name)
        if expression.is_number:
            return literal(expression)
        if expression.is_Add:
            return self.sum(expression)
        if expression.is_Mul:
            return self.product(expression)
        if expression.is_Pow:
            return self.power(expression)
        return self.call(expression)

    def sum(self, expression: Any) -> str:
        """Return source for a sum, beginning with a positive term where there is one."""
        parts = []
        for term in expression.args:
            negative = term.as_coeff_Mul()[0].is_negative
            parts.append((negative, self.text(-term if negative else term)))
        parts.sort(key=lambda part: part[0])
        self.count(len(parts) - 1)
        (first_negative, text), *rest = parts
        return (
            ("-" if first_negative else "") + text + "".join((" - " if neg else " + ") + t for neg, t in rest)
        )

    def product(self, expression: Any) -> str:
        """Return source for a product: factors, divided by the factors with negative powers."""
        coefficient, rest = expression.as_coeff_Mul()
        above, below = [], []
        for factor in rest.args if rest.is_Mul else (rest,):
            base, exponent = factor.as_base_exp() if factor.is_Pow else (factor, None)
            if exponent is not None and exponent.is_Number and exponent.is_negative:
                below.append(self.factor(base**-exponent))
            else:
                above.append(self.factor(factor))
        self.count(len(above) + len(below))
        if coefficient == -1 and above:
            above[0] = f"-{above[0]}"
        elif not above or literal(coefficient) != "1.0":
            above.insert(0, literal(coefficient).strip("()"))
        text = " * ".join(above)
        if below:
            text += f" / {below[0]}" if len(below) == 1 else f" / ({' * '.join(below)})"
        return text

    def factor(self, expression: Any) -> str:
        """Return source that binds at least as tightly as a product."""
        if expression.is_Add:
            return self.assign(self.sum(expression))
        return self.text(expression)

    def power(self, expression: Any) -> str:
        """Return source for a power: products and roots for integer and half-integer exponents."""
        base, exponent = expression.args
        if not exponent.is_Number:
            self.count()
            return self.assign(f"{self.name_of(base)} ** {self.name_of(exponent)}")
        if exponent.is_negative:
            self.count()
            return self.assign(f"1.0 / {self.factor(base**-exponent)}")
        name = self.name_of(base)
        doubled = 2 * exponent
        if doubled.is_Integer and exponent <= MAX_INTEGER_POWER:
            whole, half = divmod(int(doubled), 2)
            root = self.root(name) if half else ""
            if not whole:
                return root
            power = self.integer_power(name, whole)
            if half:
                self.count()
            return self.assign(f"{power} * {root}") if half else power
        self.count()
        return self.assign(f"{name} ** {literal(exponent)}")

    def integer_power(self, name: str, exponent: int) -> str:
        """Return the name of ``name ** exponent``, built of products that are shared."""
        if exponent == 1:
            return name
        if (name, exponent) not in self._powers:
            half = self.integer_power(name, exponent // 2)
            self.count()
            power = self.assign(f"{half} * {half}") if exponent > 1 else half
            if exponent % 2:
                self.count()
                power = self.assign(f"{power} * {name}")
            self._powers[name, exponent] = power
        return self._powers[name, exponent]

    def root(self, name: str) -> str:
        if name not in self._roots:
            self.count()
            self._roots[name] = self.assign(f"math.sqrt({name})")
        return self._roots[name]

    def call(self, expression: Any) -> str:
        """Return source for a function."""
        self.count()
        kind = type(expression).__name__
        if kind == "Sign":
            return f"math.copysign(1.0, {self.name_of(expression.args[0])})"
        if kind == "CubeRoot":
            name = self.name_of(expression.args[0])
            return f"math.copysign(math.fabs({name}) ** {1 / 3!r}, {name})"
        if kind == "Power":
            return self.assign(f"{literal(expression.args[0].args[0])} ** {self.name_of(expression.args[1])}")
        if kind not in CALLS:
            raise Refused(f"{kind} in the derivative, which has no counterpart in math")
        return f"math.{CALLS[kind]}({', '.join(self.name_of(a) for a in expression.args)})"


def literal(number: Any) -> str:
    """Return the nearest double to an exact number, such that reading it back gives the same."""
    if number.is_Rational:
        try:
            value = int(number.p) / int(number.q)
        except OverflowError:
            value = math.inf
    else:
        try:
            value = float(number.evalf(30))
        except TypeError:
            raise Refused(f"the constant {number}, which is not real") from None
    if not math.isfinite(value):
        raise Refused("a constant that overflows")
    return f"({value!r})" if value < 0 else repr(value)


def source_of(program: Program, header: str, adds: bool = False) -> str:
    """Return the source of a function that writes the outputs of a program to ``out``, or adds them.

    Parameters
    ----------
    program : Program
        What to write.
    header : str
        The first line, ``def grad(x, out):``.
    adds : bool
        Add to what stands in ``out``.
    """
    sympy = program.tape.sympy
    needed = in_order(program.outputs, program.definitions)
    unique = list(dict.fromkeys(program.outputs))
    shared, reduced = sympy.cse(
        [expression for _, expression in needed] + unique,
        symbols=sympy.numbered_symbols("t", real=True),
        list=True,
    )
    definitions = {**dict(shared), **dict(zip([s for s, _ in needed], reduced, strict=False))}
    final = dict(zip(unique, reduced[len(needed) :], strict=True))

    emitter = Emitter()
    expressions = [*final.values(), *(e for _, e in in_order(final.values(), definitions))]
    used = {symbol for expression in expressions for symbol in expression.free_symbols}
    for i, symbol in enumerate(program.symbols):
        if symbol in used:
            emitter.assign(f"x[{i}]", symbol.name)
    for text, symbol in program.tape.reads.items():
        if symbol in used:
            emitter.assign(text, symbol.name)
    zeros = sum(output == 0 for output in program.outputs)
    if zeros > MANY_ZEROS and not adds:
        emitter.lines += [f"for i in range({len(program.outputs)}):", "    out[i] = 0.0"]
    repeated = len(unique) < len(program.outputs) - zeros + (zeros > 0)
    written: dict[Any, str] = {}
    done: set[Any] = set()
    for k, output in enumerate(program.outputs):
        if output == 0 and (adds or zeros > MANY_ZEROS):
            continue
        if output not in written:
            for symbol, expression in in_order([final[output]], definitions, done):
                text = emitter.text(expression)
                if text.isidentifier():
                    emitter.names[symbol] = text
                else:
                    emitter.assign(text, symbol.name)
            text = emitter.text(final[output])
            literal_or_name = text.isidentifier() or final[output].is_number
            written[output] = emitter.assign(text) if repeated and not literal_or_name else text
        emitter.lines.append(f"out[{k}] {'+=' if adds else '='} {written[output]}")
    return "\n    ".join([header, *(emitter.lines or ["pass"])]) + "\n"
