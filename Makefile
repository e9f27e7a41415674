# Everything runs in .venv, made on first use from nothing but Python (3.10 or later):
#   make basins         the basins of Himmelblau's function under Adam: a table, and a picture
#   make test           the tests and doctests                   (ARGS="-k adam -x" goes to pytest)
#                                                               (JOBS= for one process; pytest's own -n otherwise)
#   make test-all       with the slow ones: every rule with every problem, long random streams
#   make test-simulator the GPU target on Numba's CUDA simulator; `make test` ends with it
#   make gpu-report     the GPU target's tests and figures, on a machine that has one
#   make lint           ruff: style and formatting of imports
#   make types          mypy
#   make layers         import-linter: every layer imports only downward
#   make docs           the documentation, with warnings as errors
#   make bench-quick    every benchmark once; a benchmark that raises fails the target
#   make compare        one table against the C ceiling and the peers that are installed
#   make clean          removes what the targets above made, .venv included

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
JOBS ?= -n auto --dist worksteal
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

comma := ,

.PHONY: basins test test-all test-simulator gpu-report lint types layers docs bench-quick compare clean

basins: $(VENV)/installed-plot+cli
	$(BIN)/fastgd basins himmelblau --optimizer adam --lr 0.05 --shape 512x512 --out himmelblau-basins.png

test: $(VENV)/installed-test
	$(BIN)/python -m pytest $(JOBS) -m "not slow" $(ARGS)
	$(if $(ARGS),,$(MAKE) test-simulator)

test-all: $(VENV)/installed-test
	$(BIN)/python -m pytest $(JOBS) $(ARGS)
	$(if $(ARGS),,$(MAKE) test-simulator)

test-simulator: $(VENV)/installed-test
	NUMBA_ENABLE_CUDASIM=1 NUMBA_DISABLE_JIT=1 $(BIN)/python -m pytest $(JOBS) tests/gpu/test_simulat*.py

gpu-report: $(VENV)/installed-bench+cuda
	$(BIN)/python asv_benches/gpu_report.py $(ARGS)

lint: $(VENV)/installed-lint+test
	$(BIN)/ruff check .

types: $(VENV)/installed-lint+test
	$(BIN)/mypy

layers: $(VENV)/installed-lint+test
	$(BIN)/lint-imports

docs: $(VENV)/installed-docs
	$(BIN)/sphinx-build -W --keep-going -b html docs docs/_build/html

bench-quick: $(VENV)/installed-bench
	cd asv_benches && $(abspath $(BIN))/asv machine --yes
	cd asv_benches && FASTGD_BENCH_QUICK=1 $(abspath $(BIN))/asv run --quick --python=same --show-stderr $(ARGS)

compare: $(VENV)/installed-bench
	$(BIN)/python asv_benches/compare.py $(ARGS)

clean:
	rm -rf $(VENV) build dist docs/_build asv_benches/.asv himmelblau-basins.png
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find fastgd tests asv_benches -name __pycache__ -type d -prune -exec rm -rf {} +

# One stamp for each set of extras: installed-plot+cli stands for fastgd[plot,cli].
$(VENV)/installed-%: pyproject.toml | $(BIN)/python
	$(PIP) install --quiet --editable ".[$(subst +,$(comma),$*)]"
	@touch "$@"

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
