"""First and second derivatives of a traced function, by SymPy, as programs of named expressions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from .trace import MAX_OPERATIONS, Tape, TooLong, Traced


class Program:
    """Outputs over the parameters and named intermediate expressions.

    Parameters
    ----------
    tape : Tape
        Of the traced call.
    symbols : list
        The symbols of the parameters.
    definitions : dict
        Symbol to expression, each over parameters and earlier symbols.
    outputs : list
        The expressions to write.
    """

    def __init__(
        self, tape: Tape, symbols: list[Any], definitions: dict[Any, Any], outputs: list[Any]
    ) -> None:
        self.tape, self.symbols, self.definitions, self.outputs = tape, symbols, definitions, outputs
        self._partials: dict[tuple[Any, Any], Any] = {}

    def partial(self, expression: Any, symbol: Any) -> Any:
        """Return the derivative of one small expression with respect to one symbol in it."""
        key = (expression, symbol)
        if key not in self._partials:
            self._partials[key] = expression.diff(symbol)
        return self._partials[key]


def ordered(symbols: Iterable[Any]) -> list[Any]:
    """Return symbols in an order that does not depend on the hash seed."""
    return sorted(symbols, key=lambda s: (s.name[0], int(s.name[1:])))


def terms(expression: Any) -> tuple[Any, ...]:
    """Return the terms of a sum; another expression is its only term."""
    return expression.args if expression.is_Add else (expression,)


def is_simple(expression: Any) -> bool:
    """Whether repeating the expression costs no more than a multiplication by a constant."""
    return expression.is_Number or expression.as_coeff_Mul()[1].is_Symbol


def gradient_program(value: Traced, symbols: list[Any]) -> Program:
    """Differentiate by going back through the definitions, each once (reverse accumulation).

    With f(v_1, ..., v_m) and every v_k a small expression of earlier ones, df/ds is the sum of df/dv_k
    dv_k/ds over the v_k that use s. The work is proportional to that of the function, whatever the number of
    parameters.
    """
    tape = value.tape
    add, data = tape.sympy.Add, set(tape.reads.values())
    definitions = dict(tape.definitions)
    program = Program(tape, symbols, definitions, [])
    shares: dict[Any, list[Any]] = defaultdict(list)
    for term in value.terms:
        for symbol in ordered(term.free_symbols - data):
            shares[symbol].extend(terms(program.partial(term, symbol)))
    for symbol, expression in reversed(list(tape.definitions.items())):
        if symbol not in shares:
            continue
        upstream = add(*shares[symbol])
        inputs = ordered(expression.free_symbols - data)
        if upstream.is_Add or (len(inputs) > 1 and not is_simple(upstream)):
            name = tape.sympy.Symbol(f"w{len(definitions)}", real=True)
            definitions[name] = upstream
            upstream = name
        for term in terms(expression):
            for source in ordered(term.free_symbols - data):
                shares[source].extend(upstream * d for d in terms(program.partial(term, source)))
    program.outputs = [add(*shares[s]) if s in shares else tape.sympy.Integer(0) for s in symbols]
    return program


def hessian_program(program: Program) -> Program:
    """Differentiate a gradient forwards: the outputs are the second derivatives, row by row.

    Only the lower triangle is computed; the upper one repeats its expressions.
    """
    tape, add = program.tape, program.tape.sympy.Add
    data = set(tape.reads.values())
    definitions = dict(program.definitions)
    forward = Program(tape, program.symbols, definitions, [])
    slopes: dict[Any, dict[int, Any]] = {s: {j: tape.sympy.Integer(1)} for j, s in enumerate(program.symbols)}
    entries = 0

    def directions(expression: Any) -> dict[int, list[Any]]:
        found: dict[int, list[Any]] = defaultdict(list)
        for term in terms(expression):
            for source in ordered(term.free_symbols - data):
                derivative = terms(forward.partial(term, source))
                for j, slope in slopes[source].items():
                    found[j].extend(slope * d for d in derivative)
        return found

    for symbol, expression in in_order(program.outputs, program.definitions):
        slopes[symbol] = {}
        for j, parts in directions(expression).items():
            slope = add(*parts)
            entries += 1
            if entries > MAX_OPERATIONS:
                raise TooLong(f"more than {MAX_OPERATIONS} second derivatives of intermediate values")
            if slope == 0:
                continue
            if not is_simple(slope):
                name = tape.sympy.Symbol(f"h{len(definitions)}", real=True)
                definitions[name] = slope
                slope = name
            slopes[symbol][j] = slope
    n = len(program.symbols)
    zero = tape.sympy.Integer(0)
    forward.outputs = [zero] * (n * n)
    for i, output in enumerate(program.outputs):
        for j, parts in directions(output).items():
            if j <= i:
                forward.outputs[i * n + j] = forward.outputs[j * n + i] = add(*parts)
    return forward


def in_order(
    outputs: Iterable[Any], definitions: dict[Any, Any], done: set[Any] | None = None
) -> list[tuple[Any, Any]]:
    """Return the definitions that the outputs need, each after those that it uses.

    Parameters
    ----------
    outputs : iterable
        Expressions.
    definitions : dict
        Symbol to expression.
    done : set, optional
        Symbols to leave out; those that are returned are added to it.
    """
    done = set() if done is None else done
    found = []
    stack = [s for output in reversed(list(outputs)) for s in reversed(ordered(output.free_symbols))]
    while stack:
        symbol = stack[-1]
        expression = definitions.get(symbol)
        if expression is None or symbol in done:
            stack.pop()
            continue
        missing = [s for s in ordered(expression.free_symbols) if s in definitions and s not in done]
        if missing:
            stack.extend(reversed(missing))
        else:
            done.add(symbol)
            found.append((symbol, expression))
            stack.pop()
    return found
