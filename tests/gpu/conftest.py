"""What the tests on Numba's simulator share."""

import os
import subprocess
import sys
from unittest import mock

import numpy as np
import pytest


@pytest.fixture
def small_launches():
    """Blocks of few threads and launches of few steps: several of both, and survivors that move."""
    from fastgd.engine.cuda import job

    with mock.patch.multiple(job, THREADS=2, STEPS=5, LONG=np.inf):
        yield


@pytest.fixture(scope="module")
def compiled(request, tmp_path_factory):
    """The scalar CPU target's results of the plans `COMPILED` of a test module, compiled, in a process of its own."""
    path = tmp_path_factory.mktemp("compiled") / "results.npz"
    plain = {k: v for k, v in os.environ.items() if k not in ("NUMBA_ENABLE_CUDASIM", "NUMBA_DISABLE_JIT")}
    here = os.path.dirname(__file__)
    plain["PYTHONPATH"] = os.pathsep.join(filter(None, [os.path.dirname(here), plain.get("PYTHONPATH")]))
    command = [sys.executable, os.path.join(here, "simulated_cases.py"), request.module.COMPILED.__name__, str(path)]
    subprocess.run(command, env=plain, check=True)
    return np.load(path)
