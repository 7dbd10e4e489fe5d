# Everything runs in .venv, which these targets make themselves; they need python3 with venv, and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SETUP := $(VENV)/.installed
# Where torch comes from. A Linux machine without a GPU saves gigabytes with an index of CPU wheels:
#   make demo PIP_OPTIONS="--extra-index-url <index of CPU wheels>"
PIP_OPTIONS ?=

export DAGSTER_HOME := $(CURDIR)
export OPENBLAS_NUM_THREADS ?= 1
export PYTHONDONTWRITEBYTECODE ?=

DEMO_DATA := data
DEMO_AS_OF := $(shell date -u +%Y-%m-%dT00:00:00Z)

.PHONY: setup demo test lint format docs vendor ui serve bench clean

setup: $(SETUP)

$(SETUP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip -c constraints.txt
	$(BIN)/python -m pip install --quiet --no-compile $(PIP_OPTIONS) -c constraints.txt -e ".[dev]"
	touch $(SETUP)

demo: setup
	$(BIN)/jobfeed simulate $(DEMO_DATA)/landing --until $(DEMO_AS_OF) --force
	JOBFEED_DATA=$(DEMO_DATA) $(BIN)/jobfeed run daily --as-of $(DEMO_AS_OF)
	JOBFEED_DATA=$(DEMO_DATA) $(BIN)/jobfeed feed demo-python-almaty --lang ru --limit 7
	JOBFEED_DATA=$(DEMO_DATA) $(BIN)/jobfeed feed demo-designer-remote --limit 7
	@echo
	@echo "Next:  make ui      the asset graph, runs and previews at http://127.0.0.1:3000"
	@echo "       make serve   the published feeds at http://127.0.0.1:8080/docs"

# One package: make test PYTEST_OPTIONS=tests/models. Tests of a file stay in one process, for their fixtures are costly,
# and begin in the order of tests/conftest.py.
PYTEST_OPTIONS ?=
test: setup
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(PYTEST_OPTIONS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: setup
	$(BIN)/python -m pipelines.table_reference

# Third-party files of the page, as package-lock.json names them with their hashes; needs npm.
PAGE_VENDOR := serving/service/static/vendor
vendor:
	cd $(PAGE_VENDOR) && npm ci --ignore-scripts --no-audit --no-fund
	cd $(PAGE_VENDOR) && cp node_modules/uplot/dist/uPlot.iife.min.js node_modules/uplot/dist/uPlot.min.css . \
	  && cp node_modules/uplot/LICENSE uPlot.LICENSE && rm -rf node_modules && sha256sum uPlot.* > SHA256SUMS

ui: setup
	JOBFEED_DATA=$(DEMO_DATA) $(BIN)/dg dev --host 127.0.0.1 --port 3000

serve: setup
	JOBFEED_DATA=$(DEMO_DATA) $(BIN)/jobfeed serve --host 127.0.0.1 --port 8080

bench: setup
	$(BIN)/python -m tests.benchmarks

clean:
	rm -rf $(VENV) .dagster data/landing data/lake data/models data/published data/evaluation
