# Tasks for developers and operators. Needs Python 3.11 or newer, git and make; everything else is installed into .venv.
# (gcc is needed only by `make bench ARGS="--slow-disk 10"`.) `make` alone lists the targets.

PYTHON ?= python3
ARGS ?=
# Twice the cores of a small machine, because half of the time a test waits for a disk, a server or a process.
WORKERS ?= 4
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.requirements-installed
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))

.DEFAULT_GOAL := help
.PHONY: help setup run demo test test-slow soak mutants mutmut bench docs picture build lint format lock clean
.DELETE_ON_ERROR:

help:  ## show this list
	@sed -n 's/^\([a-z][a-z-]*\):[^#]*## \(.*\)/make \1|\2/p' $(firstword $(MAKEFILE_LIST)) \
	| while IFS='|' read -r name text; do printf '  %-14s %s\n' "$$name" "$$text"; done

setup: $(STAMP)  ## create .venv and install all requirements; repeated only if they have changed

$(STAMP): requirements.txt requirements-gateway.txt requirements-dev.txt
	@if $(BIN)/python -c 'import pip; $(NEW_ENOUGH)' 2>/dev/null; then :; else \
	  command -v $(PYTHON) >/dev/null || \
	    { echo "There is no $(PYTHON) on PATH. Install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3.11" >&2; exit 1; }; \
	  $(PYTHON) -c '$(NEW_ENOUGH)' || \
	    { echo "$(PYTHON) is $$($(PYTHON) -V 2>&1), but Python 3.11 or newer is needed. Name one: make PYTHON=python3.11" >&2; exit 1; }; \
	  echo "Making $(VENV) with $$($(PYTHON) -V 2>&1) ..."; \
	  $(PYTHON) -m venv --clear $(VENV); \
	fi
	@echo "Installing requirements-dev.txt into $(VENV); the first time takes a minute or two ..."
	@$(INSTALL)
	@touch $@

# pip prints either nothing or hundreds of lines. On a terminal, only its newest line is shown.
PIP := $(BIN)/python -m pip install --disable-pip-version-check --progress-bar off -r requirements-dev.txt
define INSTALL
if [ -t 2 ] && [ "$${TERM:-dumb}" != dumb ] && [ -z "$$CI" ]; then \
  : >$(VENV)/pip.log; width=$$(stty size <&2 | cut -d' ' -f2); [ "$$width" -gt 1 ] || width=80; \
  $(PIP) >$(VENV)/pip.log & pip=$$!; trap "kill $$pip; printf '\n' >&2" INT TERM; \
  while kill -0 $$pip 2>/dev/null; do \
    printf '\r\033[K%s' "$$(tail -n 1 $(VENV)/pip.log | cut -c 1-$$((width - 1)))" >&2; sleep 0.5; \
  done; \
  printf '\r\033[K' >&2; wait $$pip; \
else \
  $(PIP) --quiet; \
fi
endef

run: setup  ## serve the gateway and a sample job, with an embedded MongoDB; HOST, PORT, MONGODB_URI change the defaults
	@exec env $${MONGODB_URI:+"_REACTOR_MONGODB_URI=$$MONGODB_URI"} \
	  $(BIN)/python -m pipelinejobs serve --sample $${HOST:+--host "$$HOST"} $${PORT:+--port "$$PORT"} $(ARGS)

demo: setup  ## take a sample job from its creation to its end, and print every verdict
	@$(BIN)/python -m tools.demo $(ARGS)

# pytest caches rewritten test modules only if Python may write bytecode.
PYTEST = PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n $(WORKERS)

test: setup  ## run the fast tests, in some minutes; ARGS="-k name -x" are arguments for pytest
	@$(PYTEST) --dist worksteal -m "not slow" $(ARGS)

test-slow: setup  ## run all other tests, and those of Hypothesis with many more examples; ARGS as above
	@$(PYTEST) --maxschedchunk 1 -m "slow or hypothesis" --hypothesis-profile deep $(ARGS)

soak: setup  ## run chaos (faults in a whole deployment) for ten minutes, and count lost events; ARGS="--seconds 3600"
	@$(BIN)/python -m tools.chaos $(ARGS)

mutants: setup  ## break copies of the code on purpose (mutants), and check that tests fail; ARGS="--only P4"
	@$(BIN)/python -m tools.mutants --baseline $(ARGS)

mutmut: setup  ## change fsm/ and core/ in every small way, and list changes that no unit test notices; ARGS="fsm.*"
	@$(BIN)/python -m mutmut run $(ARGS)
	@$(BIN)/python -m mutmut results

bench: setup  ## measure performance relative to the raw driver and plain Python; ARGS="--quick --only history"
	@$(BIN)/python -m tools.bench $(ARGS)

docs: setup  ## build the documentation into docs/_build/html; warnings are errors, and no network is needed
	@$(BIN)/python -m sphinx -b html -W --keep-going -n -q -d docs/_build/doctrees $(ARGS) docs docs/_build/html
	@echo "docs/_build/html/index.html"

picture: setup  ## make docs/_static/job-page.png from the page of a sample job; needs Chromium
	@$(BIN)/python -m tools.picture $(ARGS)

build: setup  ## make the wheel and the sdist in dist/, without a network
	@$(BIN)/python -m build --no-isolation $(ARGS)

lint: setup  ## check style, format and types
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m ruff format --check .
	@$(BIN)/python -m mypy

format: setup  ## format the code
	@$(BIN)/python -m ruff check --quiet --fix --select I .
	@$(BIN)/python -m ruff format .

# From PyPI only, although this machine may have other indexes; for all platforms, with hashes of all files.
LOCK = env -u UV_INDEX -u UV_EXTRA_INDEX_URL -u UV_FIND_LINKS -u UV_CONSTRAINT $(BIN)/python -m uv pip compile --quiet \
  --no-config --default-index https://pypi.org/simple --universal --python-version 3.11 --generate-hashes --upgrade \
  --no-annotate --no-header

lock: setup  ## update the images' lock files in deploy/ from the version ranges
	@$(LOCK) requirements.txt --output-file deploy/requirements.lock
	@$(LOCK) requirements-gateway.txt --constraint deploy/requirements.lock --output-file deploy/requirements-gateway.lock

clean:  ## stop the embedded MongoDB and delete caches; data and .venv are kept
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m pipelinejobs mongod stop || echo "The embedded MongoDB was not stopped."; fi
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis mutants docs/_build .clean-root dist
	@find . -name $(VENV) -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
