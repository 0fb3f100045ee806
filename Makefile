# What a developer or an operator does with this repository. Needs Python 3.11 or newer, git, make and gcc;
# everything else is put into .venv. `make` alone shows what there is.

PYTHON ?= python3
ARGS ?=
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.requirements-installed
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))

.DEFAULT_GOAL := help
.PHONY: help setup run demo test soak mutants mutmut bench docs lint format lock clean
.DELETE_ON_ERROR:

help:  ## show this list
	@sed -n 's/^\([a-z][a-z-]*\):[^#]*## \(.*\)/make \1|\2/p' $(firstword $(MAKEFILE_LIST)) \
	| while IFS='|' read -r name text; do printf '  %-14s %s\n' "$$name" "$$text"; done

setup: $(STAMP)  ## make .venv and install what is needed there; again only when the requirements changed

$(STAMP): requirements.txt requirements-gateway.txt requirements-dev.txt
	@if $(BIN)/python -c 'import pip; $(NEW_ENOUGH)' 2>/dev/null; then :; else \
	  command -v $(PYTHON) >/dev/null || \
	    { echo "There is no $(PYTHON) on PATH. Install Python 3.11 or newer, or say which: make PYTHON=/path/to/python3.11" >&2; exit 1; }; \
	  $(PYTHON) -c '$(NEW_ENOUGH)' || \
	    { echo "$(PYTHON) is $$($(PYTHON) -V 2>&1), but Python 3.11 or newer is needed. Say which: make PYTHON=python3.11" >&2; exit 1; }; \
	  echo "Making $(VENV) with $$($(PYTHON) -V 2>&1) ..."; \
	  $(PYTHON) -m venv --clear $(VENV); \
	fi
	@echo "Installing requirements-dev.txt into $(VENV); the first time takes a minute or two ..."
	@$(INSTALL)
	@touch $@

# pip says nothing, or hundreds of lines. On a terminal its newest line is shown, in the place of the one before.
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

run: setup  ## serve the gateway, with a MongoDB of this directory's own; HOST, PORT and MONGODB_URI are honoured
	@exec env $${MONGODB_URI:+"_REACTOR_MONGODB_URI=$$MONGODB_URI"} \
	  $(BIN)/python -m pipelinejobs serve --sample $${HOST:+--host "$$HOST"} $${PORT:+--port "$$PORT"} $(ARGS)

demo: setup  ## take a sample job through its life and show every verdict
	@$(BIN)/python -m tools.demo $(ARGS)

test: setup  ## run all tests; ARGS="-k name -x" goes to pytest
	@$(BIN)/python -m pytest -n 3 $(ARGS)

soak: setup  ## do to a whole deployment what machines and networks do, for ten minutes, and count; ARGS="--seconds 3600"
	@$(BIN)/python -m tools.chaos $(ARGS)

mutants: setup  ## break every promise on purpose, each in a copy, and see that the tests notice; ARGS="--only P4"
	@$(BIN)/python -m tools.mutants --baseline $(ARGS)

mutmut: setup  ## make every small change to fsm/ and core/, and list those that unit tests do not see; ARGS="fsm.*"
	@$(BIN)/python -m mutmut run $(ARGS)
	@$(BIN)/python -m mutmut results

bench: setup  ## measure against the raw driver and bare Python, and print ratios; ARGS="--quick --only history"
	@$(BIN)/python -m tools.bench $(ARGS)

docs: setup  ## build the documentation into docs/_build/html; a warning is an error, and no network is needed
	@$(BIN)/python -m sphinx -b html -W --keep-going -n -q -d docs/_build/doctrees $(ARGS) docs docs/_build/html
	@echo "docs/_build/html/index.html"

lint: setup  ## check style, format and types
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m ruff format --check .
	@$(BIN)/python -m mypy

format: setup  ## put the code into the one format
	@$(BIN)/python -m ruff check --quiet --fix --select I .
	@$(BIN)/python -m ruff format .

# Of PyPI alone, whatever other indexes this machine knows; for every platform, since hashes of all files are taken.
LOCK = env -u UV_INDEX -u UV_EXTRA_INDEX_URL -u UV_FIND_LINKS -u UV_CONSTRAINT $(BIN)/python -m uv pip compile --quiet \
  --no-config --default-index https://pypi.org/simple --universal --python-version 3.11 --generate-hashes --upgrade \
  --no-annotate --no-header

lock: setup  ## renew the lock files of the images, in deploy/, from the ranges
	@$(LOCK) requirements.txt --output-file deploy/requirements.lock
	@$(LOCK) requirements-gateway.txt --constraint deploy/requirements.lock --output-file deploy/requirements-gateway.lock

clean:  ## stop the embedded MongoDB and remove caches; data and .venv are kept
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m pipelinejobs mongod stop || echo "The embedded MongoDB was not stopped."; fi
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis mutants docs/_build .clean-root
	@find . -name $(VENV) -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
