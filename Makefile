# Front door of the workspace. `make` alone lists what there is.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# Any Python 3.11, 3.12 or 3.13: `make install PYTHON=python3.12`.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
LEGACY := .venv-legacy

PACKAGES := quant-platform-kit us-equity-strategies snapshot-pipelines
METADATA := $(PACKAGES:%=%/pyproject.toml)
OURS := quant-platform-kit us-equity-strategies us-equity-snapshot-pipelines
TYPED := $(PACKAGES:%=%/src) $(wildcard demo bench platforms proof tools)

.PHONY: help
help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: install
install: $(STAMP) ## Make the environment in .venv (other commands do it when needed)

# The environment is made anew, so that nothing of an earlier one lingers. pip installs uv
# with its hash checked, and uv everything else the same way. The stamp is written last: an
# interrupted installation starts again.
$(STAMP): constraints.txt $(METADATA)
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { \
	  echo "Python 3.11 to 3.13 is needed; $(PYTHON) is another. Try: make install PYTHON=python3.12" >&2; \
	  exit 1; }
	@echo "install 1/4: environment in .venv ($$($(PYTHON) --version))"
	@$(PYTHON) -m venv --clear .venv
	@echo "install 2/4: installer, hash checked"
	@sed -n '/^uv==/,/[^\\]$$/p' constraints.txt > .venv/uv.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps \
	  --requirement .venv/uv.txt
	@echo "install 3/4: $$(grep -c '^[a-z]' constraints.txt) pinned packages, hashes checked"
	@$(BIN)/uv pip sync --quiet --system-certs --python $(BIN)/python \
	  --require-hashes --no-build --compile-bytecode constraints.txt
	@echo "install 4/4: $(PACKAGES), editable"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation \
	  $(PACKAGES:%=--editable ./%)
	@touch $@

# The same environment with the older of two SDKs, which cannot live beside their successors.
$(LEGACY)/.installed: $(STAMP) constraints-legacy.txt
	@echo "install: environment in $(LEGACY), with ib_insync and longport"
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(LEGACY)
	@$(BIN)/uv pip sync --quiet --system-certs --python $(LEGACY)/bin/python \
	  --require-hashes --no-build constraints.txt
	@$(BIN)/uv pip uninstall --quiet --python $(LEGACY)/bin/python ib-async aeventkit longbridge
	@$(BIN)/uv pip install --quiet --system-certs --python $(LEGACY)/bin/python \
	  --require-hashes --no-build --requirement constraints-legacy.txt
	@$(BIN)/uv pip install --quiet --python $(LEGACY)/bin/python --no-deps --no-build-isolation \
	  $(PACKAGES:%=--editable ./%)
	@touch $@

.PHONY: demo
demo: $(STAMP) ## Run the main job on real market data: three services, years of month-ends, one report
	@$(BIN)/python -m demo

.PHONY: up
up: $(STAMP) ## The same, and leave the three services serving
	@$(BIN)/python -m demo --serve

.PHONY: test
test: $(STAMP) ## Run every test
	@$(BIN)/python -m pytest --numprocesses 3 --dist worksteal

# More processes than processors: their tests wait for deadlines most of the time. longport's are half
# a minute each, so what is told when it is unplugged is left to the other environment.
.PHONY: test-legacy
test-legacy: $(LEGACY)/.installed ## Run the tests of the adapters on ib_insync and longport
	@$(LEGACY)/bin/python -m pytest --numprocesses 4 --dist worksteal \
	  -k 'not schwab and not (who_unplugs and longbridge)' tests/test_wires.py \
	  quant-platform-kit/tests/simulators/ibkr quant-platform-kit/tests/simulators/longbridge

.PHONY: lint
lint: $(STAMP) ## Check style and formatting
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

.PHONY: types
types: $(STAMP) ## Check types, strictly
	@$(BIN)/mypy $(TYPED)

.PHONY: contracts
contracts: $(STAMP) ## Check which room imports which
	@$(BIN)/lint-imports --no-logo

.PHONY: check
check: lint types contracts test ## All of the checks above

.PHONY: bench
bench: $(STAMP) ## Measure against peers and write docs/benchmarks.md
	@$(BIN)/python -m bench

.PHONY: prove
prove: $(STAMP) ## Try to make it trade twice: crashes, random days, kill -9, faults of the wires; writes docs/reliability.md
	@$(BIN)/python -m proof

.PHONY: prove-days
prove-days: $(STAMP) ## Only its random days, 200 schedules of them, as CI does
	@$(BIN)/python -m proof simulate --seeds 200

.PHONY: prove-wires
prove-wires: $(STAMP) ## Only a sample of its faults of the brokers' wires, as CI does
	@$(BIN)/python -m proof wires

.PHONY: prove-long
prove-long: $(STAMP) ## The same in depth: every crash, 100,000 random schedules, 50 kills; takes hours
	@$(BIN)/python -m proof --long

.PHONY: fuzz
fuzz: $(STAMP) ## Damage answers of brokers and cut cutovers off, at random; takes ten minutes
	@for broker in schwab longbridge ibkr; do \
	  $(BIN)/python -m quant_platform_kit.testing.broker_mangling $$broker 100 || exit; done
	@$(BIN)/python -m pytest -m long tests/release
	@$(BIN)/python -m tests.release.cutovers --seeds 10

.PHONY: mutation
mutation: $(STAMP) ## Count the small faults that no test would notice; writes docs/quality.md
	@$(BIN)/python -m tools.mutate

.PHONY: rehearse
rehearse: $(STAMP) ## Release, switch, break and take back on a copy, with real git, pip and services; takes minutes
	@$(BIN)/qpk release drill

.PHONY: docs
docs: $(STAMP) ## Write the reference pages that are made of the code
	@$(BIN)/python quant-platform-kit/scripts/generate_reference.py
	@$(BIN)/python -m tools.profiles

# uv reads from pyproject.toml which packages are installed for their data alone.
.PHONY: lock
lock: $(STAMP) ## Resolve requirements.in into constraints.txt (newest versions: LOCK=--upgrade)
	@UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile requirements.in \
	  --output-file constraints.txt --quiet --system-certs $(LOCK) \
	  --universal --python-version 3.11 --fork-strategy fewest \
	  --generate-hashes --no-emit-index-url $(OURS:%=--no-emit-package %)
	@UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile requirements-legacy.in \
	  --constraint constraints.txt --output-file constraints-legacy.txt --quiet --system-certs \
	  --universal --python-version 3.11 --fork-strategy fewest --generate-hashes \
	  --no-emit-index-url
	@echo "constraints.txt: $$(grep -c '^[a-z]' constraints.txt) packages"

.PHONY: clean
clean: ## Remove the environment, caches and what the demo wrote
	@rm -rf .venv $(LEGACY) .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache \
	  demo-output $(PACKAGES:%=%/build) $(PACKAGES:%=%/src/*.egg-info)
	@find . -name .git -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
