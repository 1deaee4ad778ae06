# Everything a user or an engineer of Tuner types. Only Python 3.11 is asked for.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
export RAY_USAGE_STATS_ENABLED := 0

.PHONY: setup demo test test-stack test-services test-parts test-slow test-engine chaos lint bench bench-coordinator validate proto clean

setup: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "setting up $(VENV); this takes a minute or two ..."
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

demo: setup
	$(BIN)/tuner run examples/digits.yaml

# Side by side: the tests of the real stack mostly wait, those of the services do now and then, and
# the others compute. What the first two have to say comes when they are through; the + lets the
# others' show as it comes.
SERVICES := tests/coordinator tests/runner tests/client tests/cli
test: setup
	@$(MAKE) --no-print-directory --jobs=3 --keep-going --output-sync=target \
	    test-stack test-services test-parts

test-stack: setup
	$(BIN)/python -m pytest tests/chaos tests/e2e

test-services: setup
	$(BIN)/python -m pytest $(SERVICES)

test-parts: setup
	+$(BIN)/python -m pytest --ignore=tests/e2e --ignore=tests/chaos $(addprefix --ignore=,$(SERVICES))

test-slow: setup
	$(BIN)/python -m pytest -m slow

test-engine: setup
	$(BIN)/python -m pytest -m engine

# Up to twenty minutes; docs/chaos.md says how to read what it reports.
SEED ?= 7
chaos: setup
	$(BIN)/python -m pytest -m chaos tests/chaos -s --chaos-seed=$(SEED) --report=chaos-report.txt

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/buf lint proto

bench: setup
	$(BIN)/python benchmarks/overhead.py

bench-coordinator: setup
	$(BIN)/python -m benchmarks.coordinator

validate: setup
	$(BIN)/python -m benchmarks.validation

proto: setup
	PYTHON=$(BIN)/python PATH="$(abspath $(BIN)):$$PATH" proto/generate.sh

clean:
	rm -rf $(VENV) build dist *.egg-info
