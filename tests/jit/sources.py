"""Functions defined anew from their source, and processes that run one."""

import math
import os
import subprocess
import sys
import textwrap

import numpy as np


def defined(source, **scope):
    """The function ``fun`` of a source, defined anew among these globals."""
    scope = {"math": math, "np": np, **scope}
    exec(textwrap.dedent(source), scope)
    return scope["fun"]


BASE = """
def fun(x):
    return x[0] ** 2 + 3.0 * x[1]
"""


class Opaque:
    a = 1.0


def in_process(source, folder, **environment):
    """The output lines of a Python process with a cache folder of its own."""
    variables = {**os.environ, "FASTGD_CACHE_DIR": str(folder), **environment}
    code = textwrap.dedent(source)
    done = subprocess.run(
        [sys.executable, "-c", code], env=variables, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()
