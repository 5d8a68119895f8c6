# make demo    the sample photo through the shipped model (installs the base package only)
# make test    every test (installs the training extra too: about 6 GB, most of it torch)
# make check   the one gate: format, lint, types, import contract, tests
# make web     the browser's part for `mien page` (needs Node 20 with npm), into src/mien/assets/web
# Each does its own set-up in .venv; a second call finds it done.

PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test check web format clean

demo: .venv/.demo
	$(BIN)/mien demo

test: .venv/.dev
	$(BIN)/python -m pytest

check: .venv/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest

web:
	npm --prefix web ci --no-audit --no-fund
	npm --prefix web run build
	rm -rf src/mien/assets/web
	cp -r web/dist src/mien/assets/web

format: .venv/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf .venv demo-output dist build web/dist web/build web/node_modules src/mien/assets/web

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.demo: pyproject.toml constraints.txt | .venv/bin/python
	$(INSTALL) --editable '.[demo]'
	touch $@

.venv/.dev: pyproject.toml constraints.txt | .venv/bin/python
	$(INSTALL) --editable '.[train,demo,dev]'
	touch $@
