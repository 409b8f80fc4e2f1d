# The same commands for people and for CI. Needs Python 3.11 or newer and make; everything else it sets up itself.

PYTHON ?= python3
PORT   ?= 8000
CONFIG ?= parcelwatch.toml
ARGS   ?=

VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --no-input
LOCKED := $(VENV)/.locked
READY  := $(VENV)/.ready
PYTEST := $(BIN)/pytest --numprocesses auto --maxprocesses 4

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo run test test-slow cover regold lint format types contracts bench reference screenshots lock clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

setup: $(READY)  ## .venv with everything in it, from the lock; does nothing when it is there

demo: $(READY)  ## the whole product on a simulated world; PORT=8001 for another port
	$(BIN)/parcelwatch demo --port $(PORT) $(ARGS)

run: $(READY)  ## the daemon, with CONFIG=parcelwatch.toml
	$(BIN)/parcelwatch run -c $(CONFIG) $(ARGS)

test: $(READY)  ## all tests but the slow ones, on SQLite and PostgreSQL; ARGS="-k net" for some
	$(PYTEST) -m "not slow" $(ARGS)

test-slow: $(READY)  ## the tests that take minutes
	$(PYTEST) -m slow $(ARGS)

cover: $(READY)  ## the tests, and which lines they did not reach
	$(PYTEST) -m "not slow" --cov --cov-report=term-missing:skip-covered $(ARGS)

regold: $(READY)  ## write the golden answers anew; then read the diff like code
	-REGOLD=1 $(BIN)/pytest tests/carriers $(ARGS)
	$(BIN)/pytest tests/carriers $(ARGS)

lint: $(READY)  ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(READY)  ## what ruff can mend by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(READY)  ## mypy, strict
	$(BIN)/mypy

contracts: $(READY)  ## which floor may import which
	$(BIN)/lint-imports

bench: $(READY)  ## every benchmark: one JSON line each, figures as ratios to a baseline of the same run
	@set -e; for each in bench/*.py; do echo "# $$each" >&2; $(BIN)/python "$$each"; done

reference: $(READY)  ## write the pages of docs/reference that the program tells by itself anew
	$(BIN)/python -m tests.docs.reference

screenshots: $(READY)  ## take the pictures of docs/screenshots anew; needs Chromium and a Chinese font
	$(BIN)/python -m tests.browser.screenshots

lock: $(READY)  ## write requirements.txt anew from pyproject.toml: newest versions, hashes, no address
	$(PIP) install --quiet uv
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --extra dev --extra console --extra excel-password --extra lab --extra postgres \
	  --generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links \
	  --output-file requirements.txt pyproject.toml

clean:  ## remove what setup and the tools made; your data and configuration stay
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage build dist

$(LOCKED): requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "需要 Python 3.11 或更新的版本；$(PYTHON) 不是。可以指定：make setup PYTHON=python3.12" >&2; \
	  echo "Python 3.11 or newer is needed; $(PYTHON) is not. Try: make setup PYTHON=python3.12" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' || { \
	  echo "$(PYTHON) 缺少 venv 模块（Debian、Ubuntu：apt install python3-venv）" >&2; \
	  echo "$(PYTHON) lacks the venv module (Debian, Ubuntu: apt install python3-venv)" >&2; exit 2; }
	$(PYTHON) -m venv --clear $(VENV)
	$(PIP) install --quiet --require-hashes --requirement requirements.txt
	@touch $@

$(READY): $(LOCKED) pyproject.toml
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@
