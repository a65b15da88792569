# Everything starts from a bare clone: only Python >= 3.11, make and git are assumed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OFFICIAL := .venv-official
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: setup demo test check fmt generate docs bench clean

setup: $(VENV)/.dev $(OFFICIAL)/.ready

$(VENV)/.python:
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else 0'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --upgrade 'pip>=25.1'
	@touch $@

$(VENV)/.runtime: $(VENV)/.python pyproject.toml
	$(PIP) install --editable .
	$(BIN)/python -m compileall -q speedpix_pipe
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime
	$(PIP) install --group dev
	@touch $@

# The official SDK, for the tests and benchmarks that stand ours beside it; it does not work with a newer dataclass-wizard.
$(OFFICIAL)/.ready:
	$(PYTHON) -m venv $(OFFICIAL)
	$(OFFICIAL)/bin/python -m pip --disable-pip-version-check --quiet install 'speedpix==1.0.4' 'dataclass-wizard<1'
	@touch $@

demo: $(VENV)/.runtime
	@$(BIN)/python _tools/demo.py

# Many tests wait for something most of the time: one process more than there are processors.
test: setup
	@$(BIN)/python -m pytest -n $$(($$(getconf _NPROCESSORS_ONLN) + 1)) --dist loadfile --no-loadscope-reorder

check: setup
	$(BIN)/python _tools/unasync.py --check
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy --strict tests/typing/api.py
	$(BIN)/lint-imports

fmt: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

generate: setup
	$(BIN)/python _tools/unasync.py
	$(BIN)/python _tools/cli_docs.py
	$(BIN)/python _tools/spec_docs.py
	$(BIN)/python _tools/licences.py

docs: $(VENV)/.runtime
	$(PIP) install --editable '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build
	@echo "the site is in site/; open site/index.html"

bench: setup
	$(BIN)/python tests/bench/all.py

clean:
	rm -rf $(VENV) $(OFFICIAL) tests/bench/.venv-peers tests/bench/results .speedpix pipelines/.speedpix pipelines/inbox pipelines/out pipelines/results pipelines/hot-inbox
