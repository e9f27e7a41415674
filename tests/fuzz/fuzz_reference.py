"""Plain Python's answer for a program at a point, with how far rounding may move it and where it is no answer at all.

The source is run as it stands, but for its operators and functions, which are handed to a `Machine`. It rounds as
Python does, or moves what is not exact by a few units in the last place, so that repeated runs tell how far rounding
reaches; and it notes integers that left 64 bits.
"""

from __future__ import annotations

import ast
import math
import operator
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

UNITS = 4  # that a vector function may be off
SPREAD = 40.0  # how much more than what was seen in a few runs rounding may do
BINARY = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: operator.pow, ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_, ast.BitXor: operator.xor, ast.LShift: operator.lshift, ast.RShift: operator.rshift,
}  # fmt: skip
UNARY = {ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Invert: operator.invert}
FAILS = (ArithmeticError, ValueError, IndexError)


class Beyond(Exception):
    """A number or a loop that no test waits for."""


class Operators(ast.NodeTransformer):
    """Hands every operator of a source to ``machine``."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        return self.call("binary", type(node.op).__name__, node.left, node.right)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.op, ast.Not) or isinstance(node.operand, ast.Constant):
            return node
        return self.call("unary", type(node.op).__name__, node.operand)

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        self.generic_visit(node)
        read = ast.parse(ast.unparse(node.target), mode="eval").body
        made = self.call("binary", type(node.op).__name__, read, node.value)
        return ast.Assign([node.target], made)

    def call(self, name: str, op: str, *operands: ast.expr) -> ast.expr:
        method = ast.Attribute(ast.Name("machine", ast.Load()), name, ast.Load())
        return ast.Call(method, [ast.Constant(op), *operands], [])


@dataclass
class Machine:
    """Arithmetic that may round otherwise, and notes what it met."""

    rng: Any = None  # moves results that are not exact
    ieee: bool = False  # goes on with inf and NaN where Python raises for floats
    wide: bool = field(default=False, init=False)  # an integer left 64 bits
    loud: bool = field(default=False, init=False)  # NumPy's integers overflowed, of which NumPy warns
    odd: bool = field(default=False, init=False)  # a NaN or an infinity came up
    steps: int = field(default=0, init=False)

    def binary(self, name: str, a: Any, b: Any) -> Any:
        op = BINARY[getattr(ast, name)]
        self.tick()
        both_whole = whole(a) and whole(b)
        if both_whole and bits(name, int(a), int(b)) > 6000:
            raise Beyond
        try:
            made = op(a, b)
        except (ZeroDivisionError, OverflowError):
            if not self.ieee or (both_whole and name not in ("Div", "Pow")):
                raise
            made = continued(op, a, b)
        if isinstance(made, complex):
            if not self.ieee:
                raise ValueError("math domain error")
            made = math.nan
        if both_whole:
            self.note(op, made, a, b)
        units = 1 + (min(abs(float(b)), 64) if name == "Pow" else 0)
        return self.moved(made, units, exact(name, a, b, made))

    def unary(self, name: str, a: Any) -> Any:
        made = UNARY[getattr(ast, name)](a)
        if whole(a):
            self.note(UNARY[getattr(ast, name)], made, a)
        return made

    def note(self, op: Any, made: Any, *operands: Any) -> None:
        """Note what an operation on integers met."""
        if whole(made):
            self.wide |= not -(2**63) <= int(made) < 2**63
        if any(isinstance(each, np.generic) for each in operands):
            try:
                self.loud |= op(*(int(each) for each in operands)) != made
            except FAILS:
                self.loud = True

    def moved(self, made: Any, units: float, is_exact: bool = False) -> Any:
        if whole(made):
            return made
        if not math.isfinite(made):
            self.odd = True
            return made
        if self.rng is None or is_exact:
            return made
        eps = {np.float16: 2.0**-10, np.float32: 2.0**-23}.get(type(made), 2.0**-52)
        return type(made)(made * (1.0 + eps * units * self.rng.integers(-2, 3)))

    def tick(self) -> None:
        self.steps += 1
        if self.steps > 20_000:
            raise Beyond

    def function(self, plain: Callable[..., Any], units: float = UNITS) -> Callable[..., Any]:
        """A function of math or NumPy, rounded otherwise; where it is not defined NaN, for `ieee`."""

        def call(*arguments: Any) -> Any:
            self.tick()
            try:
                made = plain(*arguments)
            except (ValueError, OverflowError):
                if not self.ieee or plain in (math.floor, int):
                    raise
                made = continued(getattr(np, NUMPYS.get(plain.__name__, plain.__name__)), *arguments)
            if whole(made):
                self.note(plain, made, *(a for a in arguments if whole(a)))
            return self.moved(made, units, plain in EXACT)

        return call


EXACT = (min, max, abs, int, math.floor, math.copysign, np.square)
NUMPYS = {"pow": "power", "atan": "arctan", "atan2": "arctan2"}


def whole(value: Any) -> bool:
    return isinstance(value, (int, np.integer, np.bool_))


def bits(name: str, a: int, b: int) -> int:
    """About how many bits an operation on integers gives, where these may be many."""
    if name == "Pow":
        return a.bit_length() * abs(b)
    if name == "LShift":
        return a.bit_length() + abs(b)
    return a.bit_length() + b.bit_length() if name == "Mult" else 0


def continued(op: Any, *operands: Any) -> Any:
    """What IEEE arithmetic has where Python raises."""
    with np.errstate(all="ignore"):
        return float(op(*(np.float64(each) for each in operands)))


def exact(name: str, a: Any, b: Any, made: Any) -> bool:
    """Whether a floating-point result has no rounding in it, as far as is cheap to tell."""
    if whole(made) or not math.isfinite(made):
        return True
    x, y, z = float(a), float(b), float(made)
    if name in ("Add", "Sub"):
        y = y if name == "Add" else -y
        back = z - x
        return (x - (z - back)) + (y - back) == 0.0
    if name in ("FloorDiv",):
        return True
    short = all(v == np.float32(v) for v in (x, y))
    if name == "Mult":
        return bool(short)
    if name == "Div":
        return bool(z == np.float32(z) and short and z * y == x)
    return name == "Pow" and y in (0.0, 1.0)


@dataclass(frozen=True)
class Always:
    """In the place of random numbers: rounds every operation to the same side."""

    units: int

    def integers(self, low: int, high: int) -> int:
        return self.units


class Table:
    """An array whose entries are read as Python's numbers."""

    def __init__(self, values: Any) -> None:
        self.values = np.asarray(values)

    def __getitem__(self, place: Any) -> Any:
        return self.values[place].item()

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class Answer:
    """What one way of reading the source gives: a number or numbers, or None where it raises."""

    value: Any
    margin: Any
    wide: bool
    stable: bool
    why: str


class Reference:
    """Value and gradient of a source in plain Python."""

    def __init__(self, source: str, data: Sequence[Any]) -> None:
        tree = ast.fix_missing_locations(Operators().visit(ast.parse(source)))
        self.code = compile(tree, "<reference>", "exec")
        self.data = data

    def answers(self, name: str, point: Sequence[float]) -> list[Answer]:
        """Return the answers of Python, with NumPy's and with Python's numbers, and of IEEE arithmetic."""
        found = []
        for plain, ieee in ((False, False), (True, False), (True, True)):
            made, machine = self.run(name, point, plain, Machine(ieee=ieee))
            if isinstance(made, Beyond):
                return []
            if (machine.loud and not plain) or (ieee and not machine.odd):
                continue  # NumPy has warned; or it is the answer before
            ways = [Always(2), Always(-2), *(np.random.default_rng(k) for k in range(4))]
            moved = [self.run(name, point, plain, Machine(way, ieee))[0] for way in ways]
            found.append(answer(made, moved, machine))
        return found

    def run(self, name: str, point: Sequence[float], plain: bool, machine: Machine) -> tuple[Any, Machine]:
        """The number, or the gradient as a list, or what was raised."""
        at = namespace(machine, plain)
        try:
            with np.errstate(all="ignore"):
                exec(self.code, at)
                if plain:
                    for key, item in list(at.items()):
                        at[key] = pythons(item)
                data = [pythons(item) for item in self.data] if plain else self.data
                if name == "fun":
                    return float(at["fun"](list(point), *data)), machine
                out = [0.0] * len(point)
                at["grad"](list(point), out, *data)
                return [float(v) for v in out], machine
        except (*FAILS, TypeError, Beyond) as error:
            return error, machine


def pythons(item: Any) -> Any:
    """NumPy's numbers and arrays as Python's."""
    if isinstance(item, np.ndarray):
        return Table(item)
    return item.item() if isinstance(item, np.generic) else item


def namespace(machine: Machine, plain: bool) -> dict[str, Any]:
    proxies = {}
    for module in (math, np):
        names = {key: item for key, item in vars(module).items() if not key.startswith("_")}
        for key in ("sin", "cos", "exp", "tanh", "atan", "square", "log", "sqrt", "log1p", "atan2", "hypot", "pow",
                    "copysign", "floor"):  # fmt: skip
            if key in names:
                names[key] = machine.function(names[key])
        proxies[module.__name__] = types.SimpleNamespace(**names)
    numba = types.SimpleNamespace(njit=lambda function: function)
    own = {f.__name__: machine.function(f) for f in (min, max, abs, int)}
    return {"machine": machine, "math": proxies["math"], "np": proxies["numpy"], "numba": numba, **own}


def answer(made: Any, moved: list[Any], machine: Machine) -> Answer:
    if isinstance(made, Exception):
        stable = all(isinstance(each, Exception) for each in moved)
        return Answer(None, None, machine.wide, stable, f"{type(made).__name__}: {made}")
    if any(isinstance(each, Exception) for each in moved):
        return Answer(made, None, machine.wide, False, "")
    with np.errstate(all="ignore"):
        exact, others = np.atleast_1d(made), np.array([np.atleast_1d(each) for each in moved])
        finite = np.isfinite(exact)
        stable = bool((np.isfinite(others) == finite).all())
        spread = np.where(finite, np.abs(others - exact).max(axis=0), 0.0)
        margin = SPREAD * spread + 64 * np.finfo(float).eps * np.abs(np.where(finite, exact, 0.0)) + 1e-290
        stable &= bool((spread <= 1e-4 * np.abs(np.where(finite, exact, 1.0)) + 1e-290).all())
    return Answer(exact, margin, machine.wide, stable, "")


def judged(found: Any, answers: list[Answer]) -> str:
    """Return what is wrong with the numbers found, or None where compiled code raised: empty where nothing is."""
    if not answers or not all(each.stable for each in answers):
        return ""
    for each in answers:
        if each.value is None:
            if found is None or not np.isfinite(found).all():
                return ""
            continue
        if each.wide and (found is None or not np.isfinite(found).all()):
            return ""
        if found is None:
            continue
        finite = np.isfinite(each.value)
        with np.errstate(all="ignore"):
            near = np.abs(found - each.value) <= each.margin
        if bool(np.where(finite, near, ~np.isfinite(found)).all()):
            return ""
    told = "; ".join(f"Python: {each.why or each.value.tolist()}" for each in answers)
    return f"compiled: {'raised' if found is None else found.tolist()}; {told}"
