# make run    sets everything up and starts paper trading on the simulated market
# make test   sets everything up and passes the tests
# make setup  the set-up alone          make check  format, lint, types, contracts, tests: what CI runs
# make bench  the benchmarks            make lock   pins the requirements anew (needs uv)

PYTHON ?= python3
JOBS ?= 2
VENV := .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)
export UV_SYSTEM_CERTS ?= 1

.DEFAULT_GOAL := setup
.DELETE_ON_ERROR:
.PHONY: run setup test check bench lock clean

ifdef UV
make_venv = uv venv --quiet --allow-existing --python "$(PYTHON)" $(VENV)
install = uv pip install --quiet --python $(BIN)/python --require-hashes -r
else
make_venv = $(PYTHON) -m venv $(VENV)
install = $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r
endif

run: $(VENV)/.ok
	@$(BIN)/autotrader run $(ARGS)

setup: $(VENV)/.ok
	@echo "ready: $(BIN)/autotrader --help"

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup $(ARGS)

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	@$(MAKE) --no-print-directory test

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks.reference_engine $(ARGS)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "autotrader needs Python 3.11 or newer: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	$(make_venv)

$(VENV)/.ok: requirements.lock .ci/link_project.py | $(BIN)/python
	$(install) requirements.lock
	@$(BIN)/python .ci/link_project.py
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.ok
	$(install) requirements-dev.lock
	@touch $@

# Universal and hash-locked; no address of any index is written.
lock_flags := --quiet --universal --generate-hashes --no-emit-index-url --no-header --no-annotate --python-version 3.11
lock:
	uv pip compile $(lock_flags) requirements.in -o requirements.lock
	uv pip compile $(lock_flags) -c requirements.lock requirements-dev.in -o requirements-dev.lock

clean:
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
