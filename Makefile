# make demo    the sample photo through the shipped model (installs the base package only)
# make test    the one gate: format, lint, types, import contract, tests with their coverage, then the wheel by itself
#              (installs the training extra too: about 6 GB, most of it torch)
# make check   the first four of these, in half a minute
# make wheel   the wheel alone: built, installed without extras in an environment of its own, and used
# make lowest  the torch-free tests with the oldest versions that pyproject.toml allows
# make docs    the site in docs/_build/html: every cell and command runs, warnings are errors, links are checked
# make fuzz    12,500 broken files of every kind that is read, and 2,000 broken messages; SEED=7 (about half an hour)
# make web     the browser's part for `mien page` (needs Node 20 with npm), into src/mien/assets/web
# Each does its own set-up in .venv; a second call finds it done.

PYTHON ?= python3
LOWEST_PYTHON ?= 3.11
TEST_PROCESSES ?= 2
SEED ?= 7
TORCH_FREE := tests/contract tests/data tests/evaluate tests/recognition tests/video tests/mood
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test check wheel lowest fuzz web docs format clean

demo: .venv/.demo
	$(BIN)/mien demo

test: check
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadfile -rs --cov --cov-report=term:skip-covered
	$(BIN)/python scripts/check_wheel.py

check: .venv/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

wheel: .venv/.dev
	$(BIN)/python scripts/check_wheel.py

# no binary of these old versions exists for every Python, so it is the oldest one that mien supports
lowest: .venv/.dev
	$(BIN)/uv venv --quiet --clear --python $(LOWEST_PYTHON) .venv-lowest
	$(BIN)/uv pip install --quiet --python .venv-lowest --resolution lowest-direct --editable '.[audit,evaluate,haar,parquet,video]' \
		'hypothesis>=6.100' 'onnx>=1.17' 'psutil>=5.9' 'pytest>=8.3' 'pytest-timeout>=2.3'
	.venv-lowest/bin/python -m pytest $(TORCH_FREE)

fuzz: .venv/.dev
	$(BIN)/python scripts/fuzz.py --seed $(SEED)
	MIEN_FUZZ=1000 MIEN_FUZZ_SEED=$(SEED) $(BIN)/python -m pytest tests/serve/test_fuzz.py

web:
	npm --prefix web ci --no-audit --no-fund
	npm --prefix web run build
	rm -rf src/mien/assets/web
	cp -r web/dist src/mien/assets/web

docs: .venv/.docs
	$(BIN)/sphinx-build -W --keep-going -b html docs docs/_build/html
	$(BIN)/python docs/check_site.py docs/_build/html

format: .venv/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf .venv .venv-lowest .coverage* demo-output dist build docs/_build web/dist web/build web/node_modules src/mien/assets/web

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.demo: pyproject.toml constraints.txt | .venv/bin/python
	$(INSTALL) --editable .
	touch $@

.venv/.dev: pyproject.toml constraints.txt | .venv/bin/python
	$(INSTALL) --editable '.[train,dev]'
	touch $@

.venv/.docs: pyproject.toml constraints.txt | .venv/bin/python
	$(INSTALL) --editable '.[docs]'
	touch $@
