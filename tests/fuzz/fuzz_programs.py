"""Random small functions as source text: what users write, with operands at the edges of arithmetic and of arrays.

A program is a value ``fun(x, A, B, M, n, s)`` and a gradient ``grad(x, out, A, B, M, n, s)`` of three parameters, with
the constants and helpers that they capture. Expressions are of three kinds: integers, floats that do not depend on the
point, and floats that do, which compiled code holds in lanes.
"""

from __future__ import annotations

import ast
import copy
import functools
import textwrap
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import hypothesis
from hypothesis import strategies as st

DIM = 3
# Constants that come as data, and what they hold: int64 and float64 arrays, an array of two axes, an int and a float
ARGUMENTS = ("A", "B", "M", "n", "s")
DATA = "np.array([3, 0, -2, 7, 1]), np.array([0.5, -1.25, 2.0, 0.1]), np.array([[1, 2, -3], [0, 5, 4]]), 4, 0.75"

INTEGERS = ("int", "bool", "np.bool_", *(f"np.{u}int{bits}" for u in ("", "u") for bits in (8, 16, 32, 64)))
FLOATS = ("float", "np.float32", "np.float64")
WHOLE = ("0", "1", "2", "3", "-1", "-2", "5", "7", "10", "100", "127", "255", "-128", "2**31", "2**62", "10**18")
REAL = ("0.0", "1.0", "0.5", "-0.25", "0.1", "-2.0", "3.7", "1e3", "1e-3", "1e10", "-1e-8", "7.0")
OF_ONE = ("math.sin", "math.cos", "math.exp", "math.tanh", "math.atan", "np.sin", "np.exp", "abs", "np.square", "-")
OF_POSITIVE = ("math.log", "math.sqrt", "np.sqrt", "np.log", "math.log1p")
OF_TWO = ("math.atan2", "math.hypot", "min", "max", "math.pow", "math.copysign")


@dataclass(frozen=True)
class Program:
    """Source of one value and gradient; ``KK`` in its names stands for the number of the program in a module."""

    captured: str
    value: str
    grad: str
    scalar: bool  # it branches on x, or takes integers from it

    def named(self, number: int | str) -> Program:
        """The program with its names marked by a number, so that several stand in one module."""
        parts = (part.replace("KK", str(number)) for part in (self.captured, self.value, self.grad))
        return Program(*parts, self.scalar)

    def source(self) -> str:
        """The program as a user would write it."""
        mine, arguments = self.named(""), ", ".join(ARGUMENTS)
        value, grad = (textwrap.indent(body, "    ") for body in (mine.value, mine.grad))
        return f"{mine.captured}\ndef fun(x, {arguments}):\n{value}\n\ndef grad(x, out, {arguments}):\n{grad}\n"

    def described(self) -> dict[str, Any]:
        return asdict(self)


class Writer:
    """Draws the parts of one program, and keeps what they have named so far."""

    def __init__(self, draw: Any, scalar: bool) -> None:
        self.draw, self.scalar = draw, scalar
        self.captured: list[str] = []
        self.names: dict[str, list[str]] = {"whole": [], "real": [], "lanes": []}
        self.tables: dict[str, list[str]] = {"whole": ["A"], "real": ["B"]}
        self.helpers: dict[str, list[str]] = {"whole": [], "real": []}
        self.lengths: dict[str, int] = {}
        self.fixed: set[str] = set()  # loop variables
        self.count = 0
        self.out = False

    def pick(self, *choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def chance(self, one_in: int) -> bool:
        return self.draw(st.integers(1, one_in)) == 1

    def new(self, letter: str) -> str:
        self.count += 1
        return f"{letter}{self.count}_KK"

    # Constants around the functions

    def capture(self) -> None:
        """Draw up to three constants or tables of any dtype, and up to two helpers."""
        for _ in range(self.draw(st.integers(0, 3))):
            kind = self.pick("whole", "real")
            dtype = self.pick(*(INTEGERS if kind == "whole" else FLOATS))
            if self.chance(2):
                name = self.new("c")
                self.captured.append(f"{name} = {dtype}({self.constant(kind, dtype)})")
                self.names[kind].append(name)
                self.fixed.add(name)
            else:
                name = self.new("t")
                self.lengths[name] = self.draw(st.integers(1, 5))
                entries = ", ".join(self.constant(kind, dtype) for _ in range(self.lengths[name]))
                kept = "np.int64" if dtype == "int" else dtype
                array = self.chance(2) or "np." in dtype
                made = f"np.array([{entries}], dtype={kept})" if array else f"({entries},)"
                self.captured.append(f"{name} = {made}")
                self.tables[kind].append(name)
        for _ in range(self.draw(st.integers(0, 2))):
            self.helper(self.pick("whole", "real"))

    def constant(self, kind: str, dtype: str) -> str:
        if kind == "real":
            return self.pick(*REAL)
        if "bool" in dtype:
            return self.pick("True", "False")
        bits = int("".join(filter(str.isdigit, dtype)) or 64)
        low, high = (0, 2**bits - 1) if "uint" in dtype else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        edge = self.pick(low, high, high // 2, 0, 1, 2, 3, 7, max(low, -1), max(low, -3))
        return str(edge)

    def helper(self, kind: str) -> None:
        """Define a function by numba.njit of two arguments of one kind."""
        name = self.new("h")
        kept = self.names, self.tables, self.scalar
        self.names = {"whole": ["p", "2", "3"], "real": ["p", "q"], "lanes": ["p", "q"]}
        self.names[kind] = ["p", "q", *[c for c in kept[0][kind] if c in self.fixed]]
        self.tables = {k: [t for t in v if t not in ("A", "B")] for k, v in kept[1].items()}
        if kind == "whole":
            body = [f"return {self.whole(2, own=True)}"]
            if self.chance(2):
                body = ["r = q", f"for k in range({self.pick('3', 'min(abs(p), 5)')}):"]
                body += [f"    r = r {self.pick('+', '*', '-')} {self.pick('p', 'k', '2', 'p ** k')}", "return r"]
        else:
            first, second, third = (self.pick("p", "q", "0.5", "p * q") for _ in range(3))
            op, last = self.pick("+", "-", "*", "/"), self.pick("+", "*", "-")
            body = [f"return ({first} {op} {second}) {last} {third}{self.pick('', ' ** 2', ' ** -1', ' ** 3')}"]
        self.names, self.tables, self.scalar = kept
        lines = "\n".join(f"    {line}" for line in body)
        self.captured.append(f"@numba.njit\ndef {name}(p, q):\n{lines}")
        self.helpers[kind].append(name)

    # Expressions

    def index(self, length: int) -> str:
        """An index: mostly within, sometimes negative, past an end, or a number that was worked out."""
        form = self.draw(st.integers(0, 39))
        if form < 32:
            return str(self.draw(st.integers(-length, length - 1)))
        if form == 32:
            return str(self.pick(length, length + 3, -length - 1, 10**6, -(10**9)))
        return self.whole(1) if form < 36 else f"{self.whole(1)} % {length}"

    def entry(self, kind: str) -> str:
        """An entry of a table."""
        if kind == "whole" and self.chance(4) and "A" in self.tables["whole"]:
            return f"M[{self.index(2)}, {self.index(3)}]"
        if not self.tables[kind]:
            return self.pick("2", "-1")
        table = self.pick(*self.tables[kind])
        length = {"A": 5, "B": 4}.get(table) or self.lengths[table]
        return f"{table}[{self.index(length)}]"

    def whole(self, depth: int, own: bool = False) -> str:
        form = self.draw(st.integers(0, 13)) if depth else 0
        if form <= 3:
            atoms = [*self.names["whole"]] * 2 + [*WHOLE[:8], self.pick(*WHOLE)]
            if not own:
                atoms += ["n", "len(x)", "len(A)"]
                if self.scalar:
                    atoms += [f"int({self.pick('x[0]', 'x[1]', 'x[2] * 3', 'B[0] * x[1]')})", "math.floor(x[1])"]
            return self.pick(*atoms)
        if form == 4:
            return self.entry("whole")
        left, right = self.whole(depth - 1, own), self.whole(depth - 1, own)
        if form <= 9:
            return f"({left} {self.pick('+', '-', '*', '//', '%', '*', '//', '%')} {right})"
        if form == 10:
            return f"({left} {self.pick('&', '|', '^', '<<', '>>')} {right})"
        if form == 11:
            return self.pick(f"abs({left})", f"(-{left})", f"min({left}, {right})", f"max({left}, {right})")
        if form == 12 and self.helpers["whole"]:
            return f"{self.pick(*self.helpers['whole'])}({left}, {right})"
        return f"({left} ** {self.pick('2', '3', '5', '20', right)})"

    def real(self, depth: int) -> str:
        form = self.draw(st.integers(0, 12)) if depth else 0
        if form <= 2:
            return self.pick(*[*self.names["real"]] * 2, *REAL, "s")
        if form == 3:
            return self.entry("real")
        if form == 4:
            return f"({self.whole(depth - 1)} / {self.whole(depth - 1)})"
        if form == 5:
            return f"({self.whole(depth - 1)} ** {self.pick('-1', '-2', '-3', f'(-{self.whole(0)})', '0.5')})"
        left, right = self.real(depth - 1), self.pick(self.real, self.whole)(depth - 1)
        if form <= 8:
            pair = (left, right) if self.chance(2) else (right, left)
            return f"({pair[0]} {self.pick('+', '-', '*', '/', '//', '%')} {pair[1]})"
        if form == 9:
            return f"({left} ** {self.pick('2', '-1', '0.5', '3', '-2', '1.5', right)})"
        if form == 10 and self.helpers["real"]:
            return f"{self.pick(*self.helpers['real'])}({left}, {right})"
        if form == 11:
            return f"{self.pick(*OF_TWO)}({left}, {right})"
        return self.function(left)

    def function(self, inside: str) -> str:
        if self.chance(4):
            return f"{self.pick(*OF_POSITIVE)}({inside})"
        called = self.pick(*OF_ONE)
        return f"(-{inside})" if called == "-" else f"{called}({inside})"

    def lanes(self, depth: int) -> str:
        """A float that depends on the point."""
        form = self.draw(st.integers(0, 13)) if depth else 0
        if form <= 2:
            places = [str(self.draw(st.integers(-DIM, DIM - 1)))] * 6 + [self.index(DIM)]
            places += [name for name in self.names["whole"] if name.startswith("j")] * 2
            return self.pick(*[*self.names["lanes"]] * 2, f"x[{self.pick(*places)}]")
        left, right = self.lanes(depth - 1), self.pick(self.lanes, self.lanes, self.real, self.whole)(depth - 1)
        pair = (left, right) if self.chance(2) else (right, left)
        if form <= 7:
            return f"({pair[0]} {self.pick('+', '-', '*', '*', '/')} {pair[1]})"
        if form <= 9:
            return f"({left} ** {self.pick('2', '3', '-1', '-2', '0.5', '0', self.whole(1), self.real(0))})"
        if form == 10:
            return f"({self.pick(self.whole, self.real)(1)} ** {left})"
        if form == 11:
            if self.scalar:
                choice = f"({left} if {self.test()} else {left})"
                return self.pick(f"({left} % {right})", f"({left} // {right})", choice)
            return f"{self.pick('min', 'max')}({pair[0]}, {pair[1]})"
        if form == 12:
            if self.helpers["real"]:
                return f"{self.pick(*self.helpers['real'])}({pair[0]}, {pair[1]})"
            return f"{self.pick(*OF_TWO[:-1])}({left}, {right})"
        return self.function(left)

    def test(self) -> str:
        compare = self.pick("<", "<=", ">", ">=", "==", "!=")
        kinds = [self.whole, self.real] + ([self.lanes] * 3 if self.scalar else [])
        kind = self.pick(*kinds)
        condition = f"{kind(1)} {compare} {self.pick(kind, self.whole)(1)}"
        if self.chance(6):
            other = f"{self.whole(1)} < {self.whole(1)}"
            return f"({condition}) {self.pick('and', 'or')} ({other})"
        return self.pick(condition, condition, condition, f"not ({condition})")

    # Statements

    def block(self, count: int, depth: int) -> list[str]:
        """Some statements; names that they make inside a loop or a branch are not read after it."""
        lines: list[str] = []
        for _ in range(count):
            form = self.draw(st.integers(0, 11))
            if form <= 3 or depth == 0:
                lines += self.assignment(depth)
            elif form <= 5:
                lines += self.changed()
            elif form <= 8:
                lines += self.loop(depth)
            elif form == 9:
                lines += self.inside(f"if {self.test()}:", depth)
            elif form == 10:
                lines += self.inside(f"if {self.test()}:", depth) + self.inside("else:", depth)
            else:
                lines += [f"if {self.test()}:", f"    {self.leave()}"]
        return lines

    def leave(self) -> str:
        return "return" if self.out else f"return {self.lanes(1)}"

    def inside(self, head: str, depth: int) -> list[str]:
        kept = {kind: list(names) for kind, names in self.names.items()}
        body = self.block(self.draw(st.integers(1, 2)), depth - 1) if depth > 1 else self.changed() or ["pass"]
        self.names = kept
        return [head, *(f"    {line}" for line in body)]

    def loop(self, depth: int) -> list[str]:
        j = self.new("j")
        some = self.pick("len(x)", "3", "len(A)", "n", f"min({self.whole(1)}, 6)", "4")
        around = self.pick(f"{some}", f"1, {some}", f"{some}, 0, -1", f"-2, {some}", f"0, {some}, 2")
        kept = list(self.names["whole"])
        self.names["whole"] += [j, j]
        self.fixed.add(j)
        body = [line for _ in range(self.draw(st.integers(1, 2))) for line in self.changed()]
        if depth > 1 and self.chance(3):
            body += self.block(1, depth - 1)
        if self.chance(8):
            body += [f"if {self.whole(1)} > {self.whole(1)}:", f"    {self.pick('break', 'continue')}"]
        self.names["whole"] = kept
        return [f"for {j} in range({around}):", *(f"    {line}" for line in body or ["pass"])]

    def assignment(self, depth: int) -> list[str]:
        if self.out and self.chance(2):
            return self.written()
        kind = self.pick("whole", "real", "lanes")
        expression = getattr(self, kind)(2)
        name = self.new({"whole": "i", "real": "r", "lanes": "v"}[kind])
        if depth == 2:
            self.names[kind].append(name)
        return [f"{name} = {expression}"]

    def written(self) -> list[str]:
        places = [str(self.draw(st.integers(-DIM, DIM - 1)))] * 5 + [self.index(DIM)]
        places += [name for name in self.names["whole"] if name.startswith("j")] * 4
        return [f"out[{self.pick(*places)}] {self.pick('=', '=', '+=', '*=', '-=')} {self.lanes(2)}"]

    def changed(self) -> list[str]:
        """A change of a name that there is already, of the same kind."""
        if self.out and self.chance(2):
            return self.written()
        known = [(kind, name) for kind, names in self.names.items() for name in names if name not in self.fixed]
        if not known:
            return [f"{self.new('v')} = {self.lanes(2)}"]
        kind, name = self.pick(*known)
        ops = {"whole": ("+", "-", "*", "//", "%"), "real": ("+", "-", "*", "/"), "lanes": ("+", "-", "*", "/")}[kind]
        expression = getattr(self, kind)(2)
        return [self.pick(f"{name} {self.pick(*ops)}= {expression}", f"{name} = {expression}")]

    def value(self) -> str:
        self.out = False
        lines = self.block(self.draw(st.integers(0, 4)), 2)
        return "\n".join([*lines, f"return {self.lanes(3)} + 0.0 * x[0]"])

    def grad(self) -> str:
        self.out = True
        self.names = {k: [name for name in v if name in self.fixed and name[0] == "c"] for k, v in self.names.items()}
        lines = [f"out[{k}] = {self.lanes(2)}" for k in range(DIM)]
        return "\n".join(lines + self.block(self.draw(st.integers(0, 3)), 2))


@st.composite
def programs(draw: Any, scalar: bool) -> Program:
    """Draw one program; `scalar` ones branch on x or take integers from it."""
    writer = Writer(draw, scalar)
    writer.capture()
    value = writer.value()
    grad = writer.grad()
    return Program("\n".join(writer.captured), value, grad, scalar)


def drawn(count: int, seed: int, scalar: bool) -> list[Program]:
    """Return `count` programs of a seed, of which no two have the same constants and value."""
    found: dict[str, Program] = {}

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=5 * count, phases=[hypothesis.Phase.generate], database=None, deadline=None, derandomize=False,
        suppress_health_check=list(hypothesis.HealthCheck),
    )  # fmt: skip
    @hypothesis.given(programs(scalar))
    def collect(program: Program) -> None:
        if len(found) < count:
            found.setdefault(program.captured or program.value, program)

    collect()
    return list(found.values())


def module(programs: list[Program], branch: bool) -> str:
    """One module whose ``fun`` and ``grad`` hold all these programs, chosen by a number among the data.

    Number 0 is a bowl. `branch` adds a branch on x, so that all of it is compiled for scalars.
    """
    arguments = ", ".join(("which", *ARGUMENTS))
    value, grad, captured = [], [], []
    if branch:
        value += ["if x[0] > 1e300:", "    return 2.0 * x[0]"]
        grad += ["if x[0] > 1e300:", "    out[0] = 2.0 * x[0]"]
    for number, program in enumerate((p.named(k) for k, p in enumerate(programs, start=1)), start=1):
        captured += [f"# program {number}", program.captured]
        value += [f"# program {number}", f"if which == {number}:", textwrap.indent(program.value, "    ")]
        grad += [f"# program {number}", f"if which == {number}:", textwrap.indent(program.grad, "    "), "    return"]
    value += ["total = 0.0", "for i in range(len(x)):", "    total = total + x[i] * x[i]", "return total"]
    grad += ["for i in range(len(x)):", "    out[i] = 2.0 * x[i]"]
    parts = (textwrap.indent("\n".join(lines), "    ") for lines in (value, grad))
    heads = (f"def fun(x, {arguments}):", f"def grad(x, out, {arguments}):")
    functions = "\n\n\n".join(f"{head}\n{body}" for head, body in zip(heads, parts, strict=True))
    return "\n".join(captured) + "\n\n\n" + functions + "\n"


def program_at(text: str, line: int) -> int:
    """Return the number of the program that has a line of a module; 0 where none has."""
    above = [each.split() for each in text.splitlines()[:line] if each.strip().startswith("# program ")]
    return int(above[-1][2]) if above else 0


def smaller(program: Program) -> list[Program]:
    """Return programs with one statement or operand less, the largest cuts first."""
    found = []
    for field in ("captured", "value", "grad"):
        tree = ast.parse(textwrap.dedent(f"def f():\n{textwrap.indent(getattr(program, field) or 'pass', '    ')}"))
        for text in cuts(tree):
            whole = field != "grad" or all(f"\nout[{k}] = " in f"\n{text}" for k in range(DIM))
            if whole:
                found.append(Program(**{**program.described(), field: text if text or field == "captured" else "pass"}))
    return [p for p in found if p != program]


def cuts(tree: ast.Module) -> list[str]:
    """Return the bodies of the one function of a tree with one statement less, or one operand."""
    texts = set()
    for k in range(1, sum(1 for _ in ast.walk(tree))):
        for change in changes(list(ast.walk(tree))[k]):
            copied = copy.deepcopy(tree)
            change(list(ast.walk(copied))[k])
            text = "\n".join(ast.unparse(statement) for statement in copied.body[0].body)  # type: ignore[attr-defined]
            texts.add("" if text == "pass" else text)
    return sorted(texts, key=len)


def changes(node: ast.AST) -> list[Callable[[Any], None]]:
    """Return functions that make a node smaller, in a tree of the same form."""
    found: list[Callable[[Any], None]] = []
    for name in ("body", "orelse"):
        block = getattr(node, name, None)
        for k in range(len(block) if isinstance(block, list) else 0):
            statement = block[k]
            if isinstance(statement, (ast.For, ast.If)):
                found.append(functools.partial(put, name, k, "body"))
            if not isinstance(statement, ast.Pass):
                found.append(functools.partial(put, name, k, ""))
    for name, child in ast.iter_fields(node):
        if isinstance(child, ast.expr):
            found += [functools.partial(replace, name, k) for k in range(len(operands(child)))]
    return found


def put(name: str, k: int, inner: str, node: Any) -> None:
    """Put what is inside a statement in its place, or nothing."""
    block = getattr(node, name)
    block[k : k + 1] = getattr(block[k], inner) if inner else []
    if not block and name == "body":
        block.append(ast.Pass())


def replace(name: str, k: int, node: Any) -> None:
    setattr(node, name, operands(getattr(node, name))[k])


def operands(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.BinOp):
        return [node.left, node.right]
    if isinstance(node, ast.UnaryOp):
        return [node.operand]
    if isinstance(node, ast.Call):
        return [part for part in node.args if not isinstance(part, ast.List)]
    return []
