# Everything starts from a bare clone: only Python >= 3.11, make and git are assumed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: setup demo test check fmt generate bench clean

setup: $(VENV)/.dev

$(VENV)/.python:
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else 0'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --upgrade 'pip>=25.1'
	@touch $@

$(VENV)/.runtime: $(VENV)/.python pyproject.toml
	$(PIP) install --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime
	$(PIP) install --group dev
	@touch $@

demo: $(VENV)/.runtime
	@$(BIN)/python _tools/demo.py

test: setup
	@$(BIN)/python -m pytest -n auto --dist loadfile

check: setup
	$(BIN)/python _tools/unasync.py --check
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fmt: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

generate: setup
	$(BIN)/python _tools/unasync.py

bench: setup
	$(BIN)/python tests/bench/all.py

clean:
	rm -rf $(VENV) .speedpix pipelines/.speedpix pipelines/inbox pipelines/out pipelines/results pipelines/hot-inbox
