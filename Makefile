# make demo: install, make synthetic data, train, test and look at the result.
# make test: every check. make help: the rest.

VENV := .venv
PYTHON := $(VENV)/bin/python
STAMP := $(VENV)/.installed
PIP := $(PYTHON) -m pip --disable-pip-version-check --no-input
# What ruff, codespell and interrogate read.
SOURCES := mmavs tools configs tests docs/examples setup.py

# One core is left to the process that loads the data: computing threads that
# share a core with it wait for each other. Override with
# OMP_NUM_THREADS=8 make ...
CORES := $(shell nproc 2>/dev/null || sysctl -n hw.ncpu 2>/dev/null || echo 2)
export OMP_NUM_THREADS ?= $(shell echo $$(( $(CORES) > 1 ? $(CORES) - 1 : 1 )))
export MKL_NUM_THREADS ?= $(OMP_NUM_THREADS)
# Processes of the tests: each takes some 2 GB of memory.
WORKERS ?= $(shell echo $$(( $(CORES) < 4 ? $(CORES) : 4 )))
# Windows of a desktop are nothing the checks or the demo need.
export MPLBACKEND ?= Agg

.DEFAULT_GOAL := help
.PHONY: help env demo test lint types pytest format clean

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' \
	    $(MAKEFILE_LIST)

env: $(STAMP)  ## Install everything into .venv (Python 3.11)
	@:

# The stamp is written last: an interrupted installation starts over, pip
# keeping what is complete.
$(STAMP): requirements/stack.txt requirements/tests.txt \
          requirements/runtime.txt requirements/lite.txt \
          requirements/mminstall.txt requirements/web.txt \
          requirements/export.txt setup.py pyproject.toml
	@rm -f $@
	@if ! $(PYTHON) -m pip --version >/dev/null 2>&1; then \
	    found=; for python in python3.11 python3 python; do \
	        if $$python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' \
	            >/dev/null 2>&1; then found=$$python; break; fi; \
	    done; \
	    if [ -z "$$found" ]; then \
	        echo 'mmavs is tested with Python 3.11, and neither python3.11 nor' \
	            'python3 is one.' >&2; \
	        echo 'Install Python 3.11 and put it on the PATH; for other' \
	            'versions see docs/install.md.' >&2; \
	        exit 1; \
	    fi; \
	    echo "==> creating $(VENV) with $$($$found --version)"; \
	    $$found -m venv --clear $(VENV); \
	fi
	@echo '==> installing the stack (some 5 GB, a few minutes the first time)'
	@$(PIP) install --quiet -r requirements/stack.txt
	@echo '==> installing the tools of the checks, the page and the export'
	@$(PIP) install --quiet -r requirements/tests.txt -r requirements/web.txt \
	    -r requirements/export.txt
	@echo '==> installing mmavs in editable mode'
	@$(PIP) install --quiet --no-build-isolation --no-deps -e .
	@touch $@
	@echo '==> environment ready: $(VENV)'

demo: env  ## Train and test ECMVAE on synthetic clips, and draw what it does
	@$(PYTHON) tools/demo.py

test: lint types pytest  ## Run every check
	@echo '==> all checks passed'

lint: env  ## Check style, spelling and docstrings
	@echo '==> lint: ruff check'
	@$(PYTHON) -m ruff check --quiet $(SOURCES)
	@echo '==> lint: ruff format'
	@$(PYTHON) -m ruff format --check --quiet $(SOURCES) || \
	    { echo 'Not formatted: run make format' >&2; exit 1; }
	@echo '==> lint: codespell'
	@$(PYTHON) -m codespell_lib $(SOURCES) docs README.md CHANGELOG.md
	@echo '==> lint: docstrings'
	@$(PYTHON) -m interrogate --quiet mmavs tools

types: env  ## Check the types of the pure modules
	@echo '==> types: mypy'
	@$(PYTHON) -m mypy --no-error-summary

pytest: env  ## Run the tests (make pytest ARGS='-m slow')
	@echo '==> tests: pytest'
	@OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 \
	    $(PYTHON) -m pytest --quiet -n $(WORKERS) --dist loadfile $(ARGS)

format: env  ## Format the sources
	@$(PYTHON) -m ruff check --quiet --fix --select I,Q $(SOURCES)
	@$(PYTHON) -m ruff format $(SOURCES)

clean:  ## Remove the environment, caches and builds; keeps data and results
	@echo '==> removing $(VENV), build, dist and caches'
	@rm -rf $(VENV) build dist *.egg-info mmavs/.mim \
	    .mypy_cache .pytest_cache .ruff_cache
	@find configs mmavs tests tools -name __pycache__ -prune -exec rm -rf {} +
