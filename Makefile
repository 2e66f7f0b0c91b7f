# make run    sets everything up and starts paper trading on the simulated market
# make test   sets everything up and passes the tests
# make setup  the set-up alone          make check  format, lint, types, contracts, tests: what CI runs
# make bench  the benchmarks            make lock   pins the requirements anew (needs uv)
# make chaos  random deaths of live engines by seed: make chaos ARGS="--kills 1000 --seed 1 --resume"
# make protos generates the Python of the wire contract

PYTHON ?= python3
JOBS ?= 2
VENV := .venv
BENCH_VENV := .venv-bench
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)
export UV_SYSTEM_CERTS ?= 1

.DEFAULT_GOAL := setup
.DELETE_ON_ERROR:
.PHONY: run setup test check bench chaos protos lock clean

ifdef UV
make_venv = uv venv --quiet --allow-existing --python "$(PYTHON)"
install = uv pip install --quiet --python $(@D)/bin/python --require-hashes -r
else
make_venv = $(PYTHON) -m venv
install = $(@D)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r
endif

run: $(VENV)/.ok
	@$(BIN)/autotrader run $(ARGS)

setup: $(VENV)/.ok
	@echo "ready: $(BIN)/autotrader --help"

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/buf lint protos
	$(BIN)/buf format --diff --exit-code protos
	$(BIN)/buf breaking protos --against protos/released.binpb
	$(BIN)/python .ci/protos.py --check
	@$(MAKE) --no-print-directory test

# Then `buf build protos -o protos/released.binpb`, but only with a release: what is in it may not break.
protos: $(VENV)/.dev
	$(BIN)/buf format -w protos
	@$(BIN)/python .ci/protos.py

bench: $(VENV)/.ok $(BENCH_VENV)/.ok
	@$(BIN)/python -m benchmarks --peers $(BENCH_VENV)/bin/python $(ARGS)
	@$(BIN)/python -m benchmarks.control $(CONTROL_ARGS)

# What the engines log goes to build/chaos/log.
chaos: $(VENV)/.dev
	@mkdir -p build/chaos
	@$(BIN)/python -m tests.chaos $(ARGS) 2>> build/chaos/log

$(VENV)/bin/python $(BENCH_VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "autotrader needs Python 3.11 or newer: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	$(make_venv) $(@:/bin/python=)

$(VENV)/.ok: requirements.lock .ci/link_project.py .ci/precompile.py | $(BIN)/python
	$(install) requirements.lock
	@$(BIN)/python .ci/link_project.py
	@$(BIN)/python .ci/precompile.py
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.ok
	$(install) requirements-dev.lock
	@touch $@

# The libraries that `make bench` runs beside this project, in an environment of their own.
$(BENCH_VENV)/.ok: benchmarks/requirements.lock | $(BENCH_VENV)/bin/python
	$(install) benchmarks/requirements.lock
	@touch $@

# Universal and hash-locked; no address of any index is written.
lock_flags := --quiet --universal --generate-hashes --no-emit-index-url --no-header --no-annotate --python-version 3.11
lock:
	uv pip compile $(lock_flags) requirements.in -o requirements.lock
	uv pip compile $(lock_flags) -c requirements.lock requirements-dev.in -o requirements-dev.lock
	uv pip compile $(lock_flags) benchmarks/requirements.in -o benchmarks/requirements.lock

clean:
	rm -rf $(VENV) $(BENCH_VENV) build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
