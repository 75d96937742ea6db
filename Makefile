# The only door: make demo, make test, make check, make chaos, make load, make crowd, make fuzz, make bench, make test-all.
PYTHON ?= python3
VENV := .venv
WORKERS ?= 2
BIN := $(VENV)/bin
SETUP := pyproject.toml src/django_tpq/__init__.py

.DEFAULT_GOAL := help
.PHONY: help demo test check format chaos load crowd bench bench-quick fuzz test-all clean

help:  ## show this help
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/.demo  ## run the main job on real input, on a PostgreSQL of its own
	@$(BIN)/python -m examples.demo

test: $(VENV)/.test  ## run the whole test suite (ARGS="-k name" for a part, WORKERS=0 for one after the other)
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(ARGS)

check: $(VENV)/.check  ## formatting, lint, types, layers, spelling
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/lint-imports --no-cache > $(VENV)/layers.log || { cat $(VENV)/layers.log; exit 1; }
	@$(BIN)/codespell
	@$(BIN)/mypy
	@echo "check: all right"

format: $(VENV)/.check  ## format and mend what can be mended
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format --quiet .

bench: $(VENV)/.bench  ## ours, bare SQL and other queues, for hours (PEERS= TESTS= REPEATS= ARGS=--resume)
	@$(BIN)/python -m benchmarks $(if $(PEERS),--peers=$(PEERS)) $(if $(TESTS),--tests=$(TESTS)) \
		$(if $(REPEATS),--repeats=$(REPEATS)) $(ARGS)

bench-quick: $(VENV)/.bench  ## ours beside bare SQL, under two minutes
	@$(BIN)/python -m benchmarks --quick --repeats=1 $(ARGS)

chaos: $(VENV)/.chaos  ## faults under load, and a checker, for 20 minutes (ARGS="--list", "--seed=…", a scenario)
	@$(BIN)/python -m chaos $(ARGS)

load: $(VENV)/.chaos  ## eight producers and four executors at full speed for ten minutes: does anything grow?
	@$(BIN)/python -m chaos.load $(ARGS)

crowd: $(VENV)/.chaos  ## claims and due calls beside 1,000,000 that wait (ARGS=20000: beside fewer)
	@$(BIN)/python -m chaos.crowd $(ARGS)

fuzz: $(VENV)/.fuzz  ## random inputs, guided by the code they reach, for a minute (ARGS=600: for ten)
	@$(BIN)/python -m chaos.fuzz $(ARGS)

test-all: $(VENV)/.matrix  ## the suite on every Python and Django that is here
	@PATH="$$(ls -d $${PYENV_ROOT:-$$HOME/.pyenv}/versions/3.1[1-4]*/bin 2>/dev/null | paste -sd:):$$PATH" \
		$(BIN)/tox --skip-missing-interpreters true $(ARGS)

clean:  ## remove what the other recipes made
	@rm -rf $(VENV) .bench-venvs .tox .postgres-* .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.12 …" if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv $(VENV)

# One stamp for each set of packages: a second run installs nothing.
$(VENV)/.demo $(VENV)/.test $(VENV)/.check $(VENV)/.chaos $(VENV)/.fuzz $(VENV)/.bench $(VENV)/.matrix: $(VENV)/.%: $(SETUP) | $(BIN)/python
	@echo "setting up $(VENV) for $*"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $@
