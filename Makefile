# make demo · make test · make lint: each sets up what it needs in .venv, from envs/lock.txt.
# Where pip should take torch from another index, say so: make demo PIP_ARGS="--index-url …"

PYTHON ?= python3
PIP_ARGS ?=
CORES ?= all
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
READY := .venv/.installed
# The browser of other jobs' threads is Snakemake; BLAS and tokenizers take only what they are given.
export OMP_NUM_THREADS ?= 1
export TOKENIZERS_PARALLELISM := false

.PHONY: demo site test lint format documents clean help

help:
	@echo "make demo    run the whole sweep on small models and a simulated brain"
	@echo "make test    run the tests"
	@echo "make lint    ruff, snakefmt, snakemake --lint, mypy, who imports whom"

demo: $(READY)
	$(BIN)/snakemake --cores $(CORES)
	@echo
	@echo "Done. Open results/demo/report.html"

# What continuous integration publishes: the demo's report, and the index that leads to it.
site: demo
	mkdir -p build/site/demo
	cp results/index.html build/site/
	cp -r results/demo/report.html results/demo/claims.json results/demo/figures build/site/demo/

test: $(READY)
	$(BIN)/python -m pytest -n $(TEST_PROCESSES)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint
	$(BIN)/mypy
	PYTHONPATH=workflow $(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow

# The config's schema and the tables of config/README.md, from the models in geomod/plan/config.
documents: $(READY)
	$(BIN)/python -m geomod.plan.documents

clean:
	rm -rf results/demo logs .snakemake

TEST_PROCESSES ?= 2

# geomod itself is put on the path of this Python as it lies here, so that notebooks can import it.
$(READY): envs/lock.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "geomod needs Python 3.11 or newer; say which: make PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv .venv
	$(PIP) $(PIP_ARGS) --requirement envs/lock.txt
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $(READY)
