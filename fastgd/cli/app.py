"""The commands and their options."""

from __future__ import annotations

import dataclasses
import sys
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

import fastgd
from fastgd import optimizers, problems
from fastgd.basins import BasinMap, map_basins
from fastgd.basins.found import COLUMNS
from fastgd.checks import shown
from fastgd.cli.output import console, drop_output, table, telling
from fastgd.errors import nearest
from fastgd.memory import check_points
from fastgd.optimizers.base import CLIPS
from fastgd.texts import counted, listed

_RATE = 0.01  # of optimizers that are compared and not given theirs

app = typer.Typer(
    name="fastgd",
    help="Gradient descent from many starts at once, and what the end points mean.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


class Precision(str, Enum):
    """Arithmetic of the runs."""

    float64 = "float64"
    float32 = "float32"


def run(arguments: list[str]) -> int:
    """Run the command line and return its exit code; a mistake in the call is one line on stderr.

    Where the output is closed before its end, as by ``| head``, the code is 1, and what was to be made is made.
    """
    try:
        code = app(arguments, prog_name="fastgd", standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:  # of the output; files are looked at by the commands
        if not isinstance(error, BrokenPipeError):
            print(f"fastgd: cannot write the output: {error.strerror or error}", file=sys.stderr)  # noqa: T201
        drop_output()
        return 1
    except Exception as error:
        # Typer brings its own copy of Click in some versions, so the class of its errors has no fixed name.
        if not hasattr(error, "format_message"):
            raise
        message = " ".join(str(error.format_message()).split())
        print(f"fastgd: {message}", file=sys.stderr)  # noqa: T201
        return int(getattr(error, "exit_code", 2))
    return code if isinstance(code, int) else 0


@app.callback(invoke_without_command=True)
def _main(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        typer.echo(f"fastgd {fastgd.__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit


@app.command("basins")
def draw_basins(
    problem: Annotated[str, typer.Argument(help="Name of a problem, see `fastgd problems`.")],
    out: Annotated[Path, typer.Option(help="Picture to write: .png, .pdf, .svg, ...")],
    optimizer: Annotated[str, typer.Option(help="Name of an optimizer, see `fastgd optimizers`.")] = "adam",
    lr: Annotated[float | None, typer.Option(help="Learning rate; else the optimizer's own default.")] = None,
    momentum: Annotated[float | None, typer.Option(help="Momentum, for optimizers that have one.")] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--set", help="Another option of the optimizer, as NAME=NUMBER; repeatable."),
    ] = None,
    dim: Annotated[int | None, typer.Option(min=2, help="Parameters, for problems of any dimension.")] = None,
    shape: Annotated[str, typer.Option(help="Starts along the two axes, as 512x512, or 512 for both.")] = "256x256",
    bounds: Annotated[
        str | None,
        typer.Option(help="Sides of the map, LO,HI for both axes or LO,HI,LO,HI; else the problem's box."),
    ] = None,
    plane: Annotated[str, typer.Option(help="The two parameters that vary, as 0,1.")] = "0,1",
    max_steps: Annotated[int, typer.Option(min=1, help="Steps after which a run is given up.")] = 10_000,
    gtol: Annotated[
        float, typer.Option(min=0.0, help="A run has converged when its gradient is below.")
    ] = 1e-6,
    tol: Annotated[float | None, typer.Option(help="Distance that tells attractors apart.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads; all processors by default.")] = None,
    dtype: Annotated[Precision, typer.Option(help="Arithmetic of the runs.")] = Precision.float64,
    progress: Annotated[bool, typer.Option(help="Show a bar on stderr.")] = True,
) -> None:
    """Map which start leads to which minimum: a table, and a picture."""
    own = {name: value for name, value in (("lr", lr), ("momentum", momentum)) if value is not None}
    settings = _assignments(option or [], "--set", own)
    grid = _grid(shape, "512x512")
    sides = None if bounds is None else _numbers(bounds, ",", float, (2, 4), "--bounds", "-6,6 or -6,6,0,4")
    axes = _numbers(plane, ",", int, (2,), "--plane", "0,1")
    try:
        from fastgd.plot import basins as draw
        from fastgd.plot.figures import checked_path

        path = checked_path(out)
        landscape = _problem(problem, dim)
        rule = optimizers.make(optimizer.replace("-", "_"), **settings)
        found = map_basins(
            landscape,
            rule,
            shape=grid,
            bounds=None if sides is None else [sides[:2], sides[-2:]],
            plane=(axes[0], axes[1]),
            tol=tol,
            max_steps=max_steps,
            gtol=gtol,
            threads=threads,
            dtype=dtype.value,
            progress=progress and sys.stderr.isatty(),
        )
    except (ValueError, TypeError, ImportError, MemoryError) as error:
        raise typer.BadParameter(str(error) or "out of memory") from error
    except KeyboardInterrupt as error:
        typer.echo(f"fastgd: {_loss(error, grid[0] * grid[1])}", err=True)
        raise typer.Exit(130) from error
    try:
        draw(found, out=path)
    except OSError as error:
        raise typer.BadParameter(f"cannot write {path}: {error.strerror or error}") from error
    with telling(path):
        _print_basins(found)
        typer.echo(f"picture: {path}")


@app.command("compare")
def compare_optimizers(
    problem: Annotated[str, typer.Argument(help="Name of a problem, see `fastgd problems`.")],
    names: Annotated[
        str,
        typer.Option(
            "--optimizers",
            help="Names, see `fastgd optimizers`, as adam,scipy-cg; options as in adam,momentum:lr=0.01:momentum=0.5.",
        ),
    ],
    lr: Annotated[
        float | None,
        typer.Option(
            help="Learning rate of those that have one and are not given theirs as in adam:lr=0.05; by default "
            f"{_RATE:g}, whatever their own default is.",
        ),
    ] = None,
    starts: Annotated[int, typer.Option(min=1, help="Starts, drawn evenly from the problem's box.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the starts.")] = 0,
    shape: Annotated[
        str | None, typer.Option(help="A grid of starts in place of random ones, as 64x64; the picture then has maps.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Picture to write: .png, .pdf, .svg, ...")] = None,
    dim: Annotated[int | None, typer.Option(min=1, help="Parameters, for problems of any dimension.")] = None,
    max_steps: Annotated[int, typer.Option(min=1, help="Steps after which a run is given up.")] = 10_000,
    gtol: Annotated[
        float, typer.Option(min=0.0, help="A run has converged when its gradient is below.")
    ] = 1e-6,
    tol: Annotated[float | None, typer.Option(help="Distance that tells attractors apart.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads; all processors by default.")] = None,
    progress: Annotated[bool, typer.Option(help="Show a bar on stderr.")] = True,
) -> None:
    """Compare optimizers from the same starts: what they find, at what cost, and how far it is the gradient flow's."""
    grid = None if shape is None else _grid(shape, "64x64")
    try:
        path = None
        if out is not None:
            from fastgd.plot.figures import checked_path

            path = checked_path(out)
        landscape = _problem(problem, dim)
        if grid is None:
            check_points("--starts", starts, landscape.dim)
        contestants, rated = _contestants(names, _RATE if lr is None else lr)
        if lr is not None and not rated:
            raise ValueError(f"--lr {lr:g} is for none of {names}: they have no learning rate, or are given theirs")
        found = fastgd.compare(
            landscape,
            landscape.sample(starts, seed) if grid is None else landscape.grid(grid),
            contestants,
            tol=tol,
            max_steps=max_steps,
            gtol=gtol,
            threads=threads,
            progress=progress and sys.stderr.isatty(),
        )
    except (ValueError, TypeError, ImportError, MemoryError) as error:
        raise typer.BadParameter(str(error) or "out of memory") from error
    except KeyboardInterrupt as error:
        typer.echo("fastgd: interrupted: the comparison is lost", err=True)
        raise typer.Exit(130) from error
    if path is not None:
        try:
            fastgd.plot.compare(found, out=path)
        except OSError as error:
            raise typer.BadParameter(f"cannot write {path}: {error.strerror or error}") from error
    with telling(path):
        typer.echo(str(found))
        if rated:
            typer.echo(f"learning rate of {listed(rated)}: {_RATE if lr is None else lr:g}, see --lr")
        if path is not None:
            typer.echo(f"picture: {path}")


@app.command("problems")
def list_problems() -> None:
    """List the problems of the catalogue."""
    rows = table(
        ("name", "left"), ("dim", "right"), ("box", "left"), ("minima", "right"), ("what it is", "left")
    )
    for name in problems.names():
        problem = problems.make(name)
        about = (getattr(problems, name).__doc__ or "").strip().split("\n")[0]
        minima = "-" if problem.minima is None else str(len(problem.minima))
        rows.add_row(*(Text(cell) for cell in (name, str(problem.dim), _box(problem), minima, about)))
    console().print(rows)


@app.command("optimizers")
def list_optimizers() -> None:
    """List the optimizers with their options and defaults."""
    rows = table(("name", "left"), ("in Python", "left"), ("options", "left"))
    for name in optimizers.names():
        kind: Any = optimizers.REGISTRY[name]
        options = ", ".join(_option(field) for field in dataclasses.fields(kind) if field.name not in CLIPS)
        rows.add_row(*(Text(cell) for cell in (name, kind.__name__, options)))
    console().print(rows)


@app.command("info")
def show_info() -> None:
    """Tell versions, processor, threads, vector width, the GPU, and where compiled kernels are kept."""
    from fastgd import jit
    from fastgd.engine import devices
    from fastgd.jit.pool import available_threads

    facts = {"fastgd": fastgd.__version__, **_versions(), "threads": str(available_threads()), **jit.info()}
    facts["gpu"] = devices.about()
    width = max(len(name) for name in facts)
    for name, value in facts.items():
        typer.echo(f"{name.ljust(width)}  {value}")


def _numbers(
    text: str, separator: str, kind: type, counts: tuple[int, ...], option: str, example: str
) -> list[Any]:
    try:
        values = [kind(part) for part in text.lower().split(separator)]
    except ValueError:
        values = []
    if len(values) not in counts:
        raise typer.BadParameter(f"expected something like {example}, got {shown(text)}", param_hint=option)
    return values


def _grid(text: str, example: str) -> tuple[int, int]:
    """The starts along both axes; one number is for both."""
    sizes = _numbers(text, "x", int, (1, 2), "--shape", example)
    return sizes[0], sizes[-1]


def _problem(name: str, dim: int | None) -> fastgd.Problem:
    if name not in problems.CATALOGUE:
        raise ValueError(f"there is no problem {name!r}.{nearest(name, problems.CATALOGUE)} See `fastgd problems`.")
    return problems.make(name, **({} if dim is None else {"dim": dim}))


def _contestants(text: str, lr: float) -> tuple[dict[str, Any], list[str]]:
    """The optimizers of ``adam,momentum:lr=0.01`` by these words, and which of them have the common learning rate.

    A name may have dashes for underscores.
    """
    found: dict[str, Any] = {}
    rated = []
    for word in text.split(","):
        name, *settings = (part.strip() for part in word.split(":"))
        name = name.replace("-", "_")
        options = _assignments(settings, "--optimizers", {})
        kind: Any = optimizers.REGISTRY.get(name)
        if kind is not None and "lr" not in options and "lr" in [field.name for field in dataclasses.fields(kind)]:
            options["lr"] = lr
            rated.append(word.strip())
        if word.strip() in found:
            raise ValueError(f"--optimizers names {word.strip()!r} twice")
        found[word.strip()] = optimizers.make(name, **options)
    return found, rated


def _assignments(texts: list[str], option: str, own: dict[str, float]) -> dict[str, float]:
    """The numbers of ``NAME=NUMBER``, beside those of options of their own, such as --lr; none may be given twice."""
    settings = dict(own)
    for text in texts:
        name, _, value = text.partition("=")
        name = name.strip().replace("-", "_")
        try:
            number = float(value)
        except ValueError:
            raise typer.BadParameter(f"expected NAME=NUMBER, got {text!r}", param_hint=option) from None
        if name in settings:
            other = f"--{name} {settings[name]:g}" if name in own else f"{name}={settings[name]:g}"
            raise typer.BadParameter(f"{name} is given twice, {other} and {text}: leave one out", param_hint=option)
        settings[name] = number
    return settings


def _option(field: dataclasses.Field[Any]) -> str:
    """An option of an optimizer with its default, where that says more than None."""
    return field.name if field.default in (dataclasses.MISSING, None) else f"{field.name}={field.default!r}"


def _loss(error: KeyboardInterrupt, runs: int) -> str:
    partial = getattr(error, "partial", None)
    done = 0 if partial is None else int((partial.status >= 0).sum())
    return f"interrupted: {done:,} of {runs:,} runs were done and are lost; no picture was written"


def _print_basins(found: BasinMap) -> None:
    basins = found.basins
    rows = table(*((name, "left" if name in ("kind", "position") else "right") for name in COLUMNS))
    shown = min(len(basins), 20)
    for row in basins.rows(shown):
        rows.add_row(*(Text(cell) for cell in row))
    na, nb = found.shape
    typer.echo(f"{found.problem.name}: {na} x {nb} starts, {counted(len(basins), 'attractor')}")
    if shown:
        console().print(rows)
    if len(basins) > shown:
        typer.echo(f"and {len(basins) - shown:,} more, with {basins.fractions[shown:].sum():.2%} of the runs")
    for line in basins.doubts():
        typer.echo(line)
    if basins.unsettled:
        typer.echo(f"not settled: {basins.unsettled:.2%} (not at rest when they ended: more --max-steps, another --lr)")
    if basins.diverged:
        typer.echo(f"diverged: {basins.diverged:.2%} (a lower --lr, --set clip_norm=1, or --bounds where it is finite)")


def _box(problem: fastgd.Problem) -> str:
    if problem.bounds is None:
        return "-"
    sides = [f"[{low:g}, {high:g}]" for low, high in problem.bounds]
    if len(set(sides)) == 1:
        return sides[0]
    return " x ".join(sides) if len(sides) <= 3 else f"{sides[0]} x ..."


def _versions() -> dict[str, str]:
    import platform
    from importlib.metadata import version

    packages = {name: version(name) for name in ("numba", "llvmlite", "numpy", "scipy")}
    return {"python": platform.python_version(), **packages}
