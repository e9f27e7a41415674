"""The commands, in this process and in one of their own."""

from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

import fastgd as gd
from fastgd import cli
from fastgd.cli.app import app
from fastgd.result import Result

BASINS = ["basins", "himmelblau", "--lr", "0.05", "--shape", "24x16"]


def test_basins_prints_the_table_and_writes_the_picture(tmp_path):
    out = tmp_path / "map.png"
    ran = CliRunner().invoke(app, [*BASINS, "--optimizer", "adam", "--out", str(out)])
    assert ran.exit_code == 0, ran.output
    assert out.read_bytes().startswith(b"\x89PNG")
    assert "24 x 16 starts, 4 attractors" in ran.stdout
    rows = [line for line in ran.stdout.splitlines() if re.match(r"[0-3] ", line)]
    assert [re.search(r"\(.*\)", row).group() for row in rows] == [
        "(-3.7793, -3.2832)",
        "(-2.8051, 3.1313)",
        "(3.0000, 2.0000)",
        "(3.5844, -1.8481)",
    ]
    assert [row.split()[-1] for row in rows] == ["#2", "#1", "#0", "#3"]
    shares = [float(re.search(r"([\d.]+)%", row).group(1)) for row in rows]
    assert sum(shares) == pytest.approx(100, abs=0.03)


def test_every_option_reaches_the_work(tmp_path, monkeypatch):
    seen = {}
    real = cli.app.map_basins

    def spy(problem, optimizer, **options):
        seen.update(options, problem=problem, optimizer=optimizer)
        return real(problem, optimizer, **options)

    monkeypatch.setattr(cli.app, "map_basins", spy)
    options = (
        "basins rosenbrock --dim 3 --optimizer momentum --lr 1e-3 --momentum 0.5 --shape 4x5 "
        "--bounds -1,1,0,2 --plane 2,0 --max-steps 50 --gtol 1e-3 --tol 0.1 --threads 1 "
        "--dtype float32 --no-progress --out"
    ).split()
    ran = CliRunner().invoke(app, [*options, str(tmp_path / "map.svg")])
    assert ran.exit_code == 0, ran.output
    assert (seen["problem"].name, seen["problem"].dim) == ("rosenbrock", 3)
    assert isinstance(seen["optimizer"], gd.Momentum)
    assert (seen["optimizer"].lr, seen["optimizer"].momentum) == (1e-3, 0.5)
    wanted = {"shape": (4, 5), "plane": (2, 0), "bounds": [[-1, 1], [0, 2]], "max_steps": 50, "gtol": 1e-3}
    wanted |= {"tol": 0.1, "threads": 1, "dtype": "float32", "progress": False}
    assert {name: seen[name] for name in wanted} == wanted


def test_further_options_of_an_optimizer(tmp_path, monkeypatch):
    seen = []
    real = cli.app.map_basins
    monkeypatch.setattr(cli.app, "map_basins", lambda p, o, **kw: seen.append(o) or real(p, o, **kw))
    further = ["--set", "beta1=0.5", "--set", "weight-decay=0.1"]
    ran = CliRunner().invoke(app, [*BASINS, *further, "--out", str(tmp_path / "map.png")])
    assert ran.exit_code == 0, ran.output
    assert (seen[0].beta1, seen[0].weight_decay) == (0.5, 0.1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["basins", "himelblau", "--out", "a.png"], r"Did you mean 'himmelblau'\? See `fastgd problems`\."),
        (["basins", "himmelblau", "--out", "a.png", "--optimizer", "adm"], r"Did you mean 'adam'\?"),
        (["basins", "himmelblau", "--out", "a.png", "--shap", "3x3"], "--shape"),
        (["basns"], "basins"),
        (["basins", "himmelblau"], "--out"),
        (["basins", "himmelblau", "--out", "a.xyz"], r"must end in one of .*\.png"),
        (["basins", "himmelblau", "--out", "no/such/folder/a.png"], "folder"),
        (["basins", "himmelblau", "--out", "a.png", "--shape", "5x1x2"], "--shape.*512x512"),
        (["basins", "himmelblau", "--out", "a.png", "--shape", "0x4"], "shape"),
        (["basins", "himmelblau", "--out", "a.png", "--bounds", "6,-6"], "low < high"),
        (["basins", "himmelblau", "--out", "a.png", "--bounds", "6"], "--bounds.*-6,6"),
        (["basins", "himmelblau", "--out", "a.png", "--plane", "0,7"], "plane"),
        (["basins", "himmelblau", "--out", "a.png", "--plane", "0"], "--plane.*0,1"),
        (["basins", "himmelblau", "--out", "a.png", "--lr", "-1"], "lr must"),
        (["basins", "himmelblau", "--out", "a.png", "--lr", "fast"], "--lr"),
        (["basins", "himmelblau", "--out", "a.png", "--momentum", "0.9"], "adam has no option 'momentum'"),
        (["basins", "himmelblau", "--out", "a.png", "--set", "beta1"], "--set.*NAME=NUMBER"),
        (["basins", "himmelblau", "--out", "a.png", "--set", "beta3=0.1"], "Did you mean 'beta"),
        (
            ["basins", "himmelblau", "--out", "a.png", "--lr", "0.2", "--set", "lr=0.1"],
            "--set.*lr is given twice, --lr 0.2 and lr=0.1: leave one out",
        ),
        (
            ["basins", "himmelblau", "--out", "a.png", "--set", "weight_decay=1", "--set", "weight-decay=2"],
            "weight_decay is given twice, weight_decay=1 and weight-decay=2",
        ),
        (["basins", "himmelblau", "--out", "a.png", "--dim", "3"], "no option 'dim'"),
        (["basins", "double_well", "--out", "a.png"], "at least two parameters"),
        (["basins", "himmelblau", "--out", "a.png", "--max-steps", "0"], "--max-steps"),
        (["basins", "himmelblau", "--out", "a.png", "--gtol", "-1"], "--gtol"),
        (["basins", "himmelblau", "--out", "a.png", "--tol", "0"], "tol must"),
        (["basins", "himmelblau", "--out", "a.png", "--threads", "0"], "--threads"),
        (["basins", "himmelblau", "--out", "a.png", "--dtype", "float16"], "--dtype"),
        (["compare", "himmelblau"], "--optimizers"),
        (["compare", "himelblau", "--optimizers", "adam"], r"Did you mean 'himmelblau'\?"),
        (["compare", "himmelblau", "--optimizers", "adm"], r"Did you mean 'adam'\?"),
        (["compare", "himmelblau", "--optimizers", "scipy-gc"], r"Did you mean 'scipy_cg'\?"),
        (["compare", "himmelblau", "--optimizers", "adam,adam"], "names 'adam' twice"),
        (["compare", "himmelblau", "--optimizers", "adam:lr"], "--optimizers.*NAME=NUMBER"),
        (["compare", "himmelblau", "--optimizers", "adam:lr=1:lr=2"], "lr is given twice, lr=1 and lr=2"),
        (["compare", "himmelblau", "--optimizers", "scipy-cg,adam:lr=1", "--lr", "0.2"], "--lr 0.2 is for none of"),
        (["compare", "himmelblau", "--optimizers", "adam:rate=1"], "adam has no option 'rate'"),
        (["compare", "himmelblau", "--optimizers", "adam", "--shape", "nine"], "--shape.*64x64"),
        (["compare", "himmelblau", "--optimizers", "adam", "--starts", "0"], "--starts"),
        (["compare", "himmelblau", "--optimizers", "adam", "--out", "a.xyz"], "must end in one of"),
        (["compare", "himmelblau", "--optimizers", "adam", "--dim", "3"], "no option 'dim'"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("fastgd: ")
    assert err.count("\n") == 1
    assert re.search(message, err), err
    assert list(tmp_path.iterdir()) == []


def test_interruption_says_what_was_lost(tmp_path, monkeypatch, capsys):
    def interrupted(*args, **options):
        status = np.array([0, 0, -1], np.int8)
        nothing = np.zeros(3)
        raise gd.Interrupted("stopped", partial=Result(np.zeros((3, 2)), nothing, nothing, nothing, status))

    monkeypatch.setattr(cli.app, "map_basins", interrupted)
    assert cli.main([*BASINS, "--out", str(tmp_path / "a.png")]) == 130
    err = capsys.readouterr().err
    assert err == "fastgd: interrupted: 2 of 384 runs were done and are lost; no picture was written\n"
    assert list(tmp_path.iterdir()) == []


COMPARE = ["compare", "himmelblau", "--optimizers"]


def test_compare_prints_the_table_and_writes_the_picture(tmp_path):
    out = tmp_path / "comparison.png"
    names = "adam:lr=0.05,momentum:momentum=0.5,scipy-cg"
    ran = CliRunner().invoke(app, [*COMPARE, names, "--shape", "12x10", "--out", str(out)])
    assert ran.exit_code == 0, ran.output
    assert out.read_bytes().startswith(b"\x89PNG")
    lines = ran.stdout.splitlines()
    assert lines[0].startswith("himmelblau from 120 starts")
    assert [line.split()[0] for line in lines[2:-2]] == [*names.split(","), "GradientFlow"]
    assert lines[-2:] == ["learning rate of momentum:momentum=0.5: 0.01, see --lr", f"picture: {out}"]


def test_every_option_reaches_the_comparison(monkeypatch):
    seen = {}
    real = gd.compare

    def spy(problem, x0, contestants, **options):
        seen.update(options, problem=problem, x0=x0, contestants=contestants)
        return real(problem, x0, contestants, **options)

    monkeypatch.setattr(gd, "compare", spy)
    options = (
        "compare rosenbrock --dim 3 --optimizers momentum:lr=1e-4,gradient-descent,adam --lr 1e-3 --starts 7 --seed 5 "
        "--max-steps 50 --gtol 1e-3 --tol 0.1 --threads 1 --no-progress"
    ).split()
    ran = CliRunner().invoke(app, options)
    assert ran.exit_code == 0, ran.output
    np.testing.assert_array_equal(seen["x0"], gd.problems.rosenbrock(dim=3).sample(7, 5))
    made = seen["contestants"]
    assert {name: each.lr for name, each in made.items()} == {
        "momentum:lr=1e-4": 1e-4, "gradient-descent": 1e-3, "adam": 1e-3,
    }  # fmt: skip
    wanted = {"max_steps": 50, "gtol": 1e-3, "tol": 0.1, "threads": 1, "progress": False}
    assert {name: seen[name] for name in wanted} == wanted
    assert ran.stdout.endswith("learning rate of gradient-descent and adam: 0.001, see --lr\n")


def test_an_interrupted_comparison(monkeypatch, capsys):
    def interrupted(*args, **options):
        raise gd.Interrupted("stopped")

    monkeypatch.setattr(gd, "compare", interrupted)
    assert cli.main([*COMPARE, "adam"]) == 130
    assert capsys.readouterr().err == "fastgd: interrupted: the comparison is lost\n"


def test_problems_lists_the_catalogue(capsys):
    assert cli.main(["problems"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for name in gd.problems.names():
        (row,) = [line for line in lines if line.startswith(name + " ")]
        assert row.split()[1] == str(gd.problems.make(name).dim)


def test_optimizers_lists_all_names_with_their_options(capsys):
    assert cli.main(["optimizers"]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = {line.split()[0]: line for line in lines[1:] if not line.startswith(" ")}
    assert list(rows) == gd.optimizers.names()
    assert "lr=0.001, beta1=0.9, beta2=0.999, eps=1e-08" in rows["adam"]
    assert rows["adam"].split()[1] == "Adam"
    assert "clip" not in rows["adam"]
    assert rows["gradient_descent"].split()[2:] == ["lr,", "weight_decay=0.0"]


def test_optimizers_may_have_dashes(tmp_path, capsys):
    out = str(tmp_path / "map.png")
    arguments = ["basins", "himmelblau", "--optimizer", "gradient-descent", "--lr", "0.01", "--shape", "4x4"]
    assert cli.main([*arguments, "--out", out]) == 0
    assert "4 x 4 starts" in capsys.readouterr().out


def test_info_tells_versions_and_the_engine(capsys):
    assert cli.main(["info"]) == 0
    facts = dict(re.split(r"  +", line, maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert facts["fastgd"] == gd.__version__
    assert facts["numpy"] == np.__version__
    assert {"python", "numba", "llvmlite", "scipy"} < set(facts)
    from fastgd import jit

    assert {name: facts[name] for name in jit.info()} == jit.info()
    assert int(facts["threads"]) >= 1
    from fastgd.jit.cuda import missing

    reason = missing()
    assert facts["gpu"].startswith(f"none: {reason}") if reason else "100,000 runs" in facts["gpu"]


def test_info_tells_the_size_of_the_cache(capsys, monkeypatch, tmp_path):
    (tmp_path / "ab").mkdir()
    (tmp_path / "ab" / f"{'0' * 62}.kernel").write_bytes(bytes(1_500_000))
    (tmp_path / "ab" / f"{'1' * 62}.py").write_bytes(bytes(500_000))
    (tmp_path / "ab" / "not ours").write_bytes(bytes(500_000))
    monkeypatch.setenv("FASTGD_CACHE_MB", "1500")
    for folder, size in ((tmp_path, "2.0 MB in 2 files"), (tmp_path / "none", "empty")):
        monkeypatch.setenv("FASTGD_CACHE_DIR", str(folder))
        assert cli.main(["info"]) == 0
        (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("cache size")]
        assert line.endswith(f"{size}, at most 1,500 MB (FASTGD_CACHE_MB)")


def test_help_and_version(capsys):
    assert cli.main([]) == 0
    assert "Commands:" in capsys.readouterr().out
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"fastgd {gd.__version__}\n"
    assert cli.main(["basins", "--help"]) == 0
    assert "--optimizer" in capsys.readouterr().out
    assert cli.main(["compare", "--help"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "not given theirs as in adam:lr=0.05; by default 0.01, whatever their own default is." in said


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_missing_extra_is_named(missing, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, missing, None)
    assert cli.main(["problems"]) == 2
    err = capsys.readouterr().err
    assert 'pip install ".[cli]"' in err
    assert missing in err
    assert err.count("\n") == 1


def test_in_a_process_of_its_own(tmp_path):
    code = "import sys; from fastgd.cli import main; sys.exit(main())"
    call = [sys.executable, "-c", code, *BASINS, "--out", str(tmp_path / "map.pdf")]
    ran = subprocess.run(call, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "4 attractors" in ran.stdout
    assert ran.stderr == ""
    assert (tmp_path / "map.pdf").read_bytes().startswith(b"%PDF")
    wrong = subprocess.run([*call, "--optimizer", "sgd2"], capture_output=True, text=True, check=False)
    assert wrong.returncode == 2
    assert wrong.stderr.count("\n") == 1


def test_python_runs_the_package(capsys):
    ran = subprocess.run([sys.executable, "-m", "fastgd", "--version"], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, f"fastgd {gd.__version__}\n"), ran.stderr


def test_one_number_is_a_square_and_what_did_not_settle_comes_with_advice(tmp_path):
    slow = ["basins", "himmelblau", "--lr", "0.0001", "--max-steps", "3", "--shape", "4"]
    ran = CliRunner().invoke(app, [*slow, "--out", str(tmp_path / "map.png")])
    assert ran.exit_code == 0, ran.output
    assert "himmelblau: 4 x 4 starts, 0 attractors" in ran.stdout
    assert "not settled: 100.00% (not at rest when they ended: more --max-steps, another --lr)" in ran.stdout
    few = ["basins", "quadratic", "--optimizer", "gradient_descent", "--lr", "0.1", "--shape", "3"]
    ran = CliRunner().invoke(app, [*few, "--out", str(tmp_path / "map.png")])
    assert "3 x 3 starts, 1 attractor\n" in ran.stdout
