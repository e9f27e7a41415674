"""Compile the caller's functions: like `inlined`, with Python's rules for indices and integers.

An index outside its array, an integer that leaves 64 bits or a division of integers by zero raises, as it does in plain
Python or as near as compiled code comes.  The loop of the engine takes such a run out; see `fastgd.engine.failures`.
"""

from __future__ import annotations

import operator
import types as python_types
import weakref
from collections.abc import Callable
from typing import Any

from llvmlite import ir as llvm
from numba.core import ir, types
from numba.core.compiler_machinery import FunctionPass, register_pass
from numba.core.lowering import Lower
from numba.core.registry import CPUDispatcher
from numba.core.untyped_passes import InlineClosureLikes

from .operators import splat
from .options import FLAGS, InlinedFunction, inlined, interpreted
from .overflow import CHECKED, ROUNDED, check_range, power, whole
from .pipeline import InlinedCompiler, InlinedLowering
from .types import Lanes, Rows

__all__ = ["checked", "within_bounds"]


class CheckedLower(Lower):
    """Numba's lowering, with the operations of `CHECKED` on integers."""

    def lower_binop(self, resty: Any, expr: Any, op: Any) -> Any:
        operate, sig = CHECKED.get(op), self.fndesc.calltypes[expr]
        kind = whole(sig.return_type)
        if operate is None or kind is None or not all(map(whole, sig.args)):
            return super().lower_binop(resty, expr, op)
        to = sig.return_type if isinstance(sig.return_type, Lanes) else kind
        values = []
        for variable, argument in zip((expr.lhs, expr.rhs), sig.args, strict=True):
            given = self.typeof(variable.name)
            literal = types.unliteral(argument)
            value = self.context.cast(self.builder, self.loadvar(variable.name), given, literal)
            if isinstance(to, Lanes):
                value = splat(self.context, self.builder, value, literal, to)
            else:
                value = self.context.cast(self.builder, value, literal, to)
            values.append(value)
        if op is operator.pow and not is_constant(values[1]):
            return super().lower_binop(resty, expr, op)
        result = operate(self.context, self.builder, kind, *values)
        return self.context.cast(self.builder, result, to, resty)

    def _lower_call_normal(self, fnty: Any, expr: Any, signature: Any) -> Any:
        key = getattr(fnty, "typing_key", None)
        of_float = len(signature.args) == 1 and isinstance(signature.args[0], types.Float)
        if of_float and key in ROUNDED and isinstance(signature.return_type, types.Integer):
            value = self.loadvar(expr.args[0].name)
            value = self.context.cast(self.builder, value, self.typeof(expr.args[0].name), signature.args[0])
            check_range(self.context, self.builder, value)
        return super()._lower_call_normal(fnty, expr, signature)


def is_constant(value: llvm.Value) -> bool:
    return isinstance(value, llvm.Constant)


@register_pass(mutates_CFG=True, analysis_only=False)
class CheckedLowering(InlinedLowering):
    """Lowering of a checked function."""

    _name = "checked_lowering"

    @property
    def lowering_class(self) -> type[Lower]:
        return CheckedLower


@register_pass(mutates_CFG=False, analysis_only=False)
class PythonRules(FunctionPass):
    """Put `power` in the place of ``**``, and checked functions in that of the helpers that a function calls."""

    _name = "python_rules"

    def __init__(self) -> None:
        FunctionPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        function = state.func_ir
        for block in function.blocks.values():
            body: list[Any] = []
            for statement in block.body:
                value = getattr(statement, "value", None) if isinstance(statement, ir.Assign) else None
                if isinstance(value, (ir.Global, ir.FreeVar)):
                    value.value = in_place_of(value.value)
                elif isinstance(value, ir.Expr) and value.op == "getattr":
                    self.replace_helper_of_module(function, statement, value)
                elif isinstance(value, ir.Expr) and is_power(value) and not is_known(function, value.rhs):
                    name = ir.Var(block.scope, f"$power.{id(statement)}", statement.loc)
                    body.append(ir.Assign(ir.Global("power", power, statement.loc), name, statement.loc))
                    function._definitions[name.name].append(body[-1].value)
                    call = ir.Expr.call(name, (value.lhs, value.rhs), (), statement.loc)
                    function._definitions[statement.target.name].remove(value)
                    function._definitions[statement.target.name].append(call)
                    statement.value = call
                body.append(statement)
            block.body = body
        return True

    @staticmethod
    def replace_helper_of_module(function: Any, statement: Any, value: Any) -> None:
        module = defined(function, value.value)
        if not isinstance(module, python_types.ModuleType):
            return
        found = getattr(module, value.attr, None)
        replaced = in_place_of(found)
        if replaced is not found:
            new = ir.Global(value.attr, replaced, statement.loc)
            function._definitions[statement.target.name].remove(value)
            function._definitions[statement.target.name].append(new)
            statement.value = new


def is_power(value: Any) -> bool:
    if value.op == "binop":
        return value.fn is operator.pow
    return value.op == "inplace_binop" and value.immutable_fn is operator.pow


def defined(function: Any, variable: Any) -> Any:
    """The constant that a variable of Numba's representation stands for; None where it is none."""
    try:
        found = function.get_definition(variable)
    except KeyError:
        return None
    return found.value if isinstance(found, (ir.Const, ir.Global, ir.FreeVar)) else None


def is_known(function: Any, exponent: Any) -> bool:
    """Whether an exponent is a constant that makes no float of an integer."""
    value = defined(function, exponent)
    return isinstance(value, float) or (isinstance(value, int) and value >= 0)


class CheckedCompiler(InlinedCompiler):
    """The compiler of the caller's functions."""

    lowering = CheckedLowering

    def define_pipelines(self) -> list[Any]:
        (passes,) = super().define_pipelines()
        passes.add_pass_after(PythonRules, InlineClosureLikes)
        passes.finalize()
        return [passes]


class CheckedFunction(InlinedFunction):
    """A function of the caller's; called by the engine, its rows are checked, and its point cannot be written to."""

    is_entry = False

    def get_call_template(self, args: Any, kws: Any) -> Any:
        marked = tuple(
            kind.guarded(readonly=self.is_entry and place == 0) if isinstance(kind, Rows) else kind
            for place, kind in enumerate(args)
        )
        return super().get_call_template(marked, kws)


HELPERS: weakref.WeakKeyDictionary[Any, CheckedFunction] = weakref.WeakKeyDictionary()
OPTIONS = {"nopython": True, "forceinline": True, **FLAGS, "boundscheck": True}


def compiled(function: Callable, options: dict[str, Any]) -> CheckedFunction:
    return CheckedFunction(function, targetoptions={**options, **OPTIONS}, pipeline_class=CheckedCompiler)


def in_place_of(value: Any) -> Any:
    """The checked function for a helper that its author compiled by ``numba.njit``; any other value as it is."""
    if not isinstance(value, CPUDispatcher) or isinstance(value, InlinedFunction):
        return value
    if value not in HELPERS:
        kept = {name: value.targetoptions[name] for name in ("fastmath", "inline") if name in value.targetoptions}
        HELPERS[value] = compiled(value.py_func, kept)
    return HELPERS[value]


def within_bounds(function: Callable) -> Callable:
    """Mark a function whose indices and integers stay inside at every point, so that compiled code checks none.

    It is for functions of this package that are measurably slower otherwise, with tests for what they promise.
    """
    function.within_bounds = True  # type: ignore[attr-defined]
    return function


def checked(function: Callable) -> Any:
    """Compile a function of the caller's, ``fun(x, *data)`` or ``grad(x, out, *data)``, to be inlined into a kernel."""
    if interpreted() or getattr(function, "within_bounds", False):
        return inlined(function)
    entry = compiled(getattr(function, "py_func", function), {})
    entry.is_entry = True
    return entry
