# timbre: every target sets up .venv for itself. Bare `make` prints this list.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet
PYTEST := $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow test-gpu lint format bench lock clean

help: ## print the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## create .venv with the locked packages and timbre itself

# uv is four times as quick as pip; pip, which knows pip.conf's indexes and certificates, steps in where uv cannot.
$(STAMP): export UV_SYSTEM_CERTS = true
$(STAMP): export UV_NATIVE_TLS = true
$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { echo "timbre needs Python 3.11, 3.12 or 3.13; name one with: make PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv --clear .venv
	@awk '/^uv==/ {found = 1} found {print} found && !/\\$$/ {exit}' requirements.lock > .venv/uv.lock
	$(PIP) --require-hashes --requirement .venv/uv.lock
	$(BIN)/uv pip install --python $(BIN)/python --compile-bytecode --require-hashes --requirement requirements.lock \
		|| $(PIP) --require-hashes --requirement requirements.lock
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(STAMP) ## go the whole way: compose music, train, export, evaluate, register, promote, serve, ask
	@$(BIN)/timbre demo

test: $(STAMP) ## run the fast tests
	$(PYTEST) --numprocesses 2 --dist loadgroup

test-slow: $(STAMP) ## run the slow tests: real servers under attack, the built wheel, whole training runs
	$(PYTEST) -m "slow and not gpu" --timeout 900

test-gpu: $(STAMP) ## run the tests that need a CUDA device
	$(PYTEST) -m gpu --timeout 900

lint: $(STAMP) ## check style, types and import directions
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP) ## rewrite the code in the house's style
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(STAMP) ## measure every speed beside its reference (options: make bench BENCH='--help')
	$(BIN)/python -m tests.bench $(BENCH)

lock: $(STAMP) ## resolve pyproject.toml anew into the two lock files
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --quiet --output-file requirements.lock
	$(BIN)/uv pip compile pyproject.toml --extra serve --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --quiet --constraints requirements.lock --output-file requirements-serve.lock

clean: ## remove .venv and caches; data/ and outputs/ stay
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
