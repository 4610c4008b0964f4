# Everything here needs Python 3.11 or newer and a C++ compiler; the rest is set up in .venv.

PYTHON ?= python3
VENV := .venv
OLAH := .olah
BIN := $(VENV)/bin
STAMP := $(VENV)/.qtui-installed
FAST := not slow and not oracle
# Most tests wait for a child or a screen, so more of them than there are processors run at once.
JOBS ?= 4
PYTEST := $(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile
# A user's own Python path must not leak into what is checked.
unexport PYTHONPATH PYTHONHOME

.PHONY: help setup demo test lint types contracts wheel check check-all oracle olah clean
.DEFAULT_GOAL := help

help:
	@echo 'make demo       one prompt on two quants of a small model, side by side'
	@echo 'make test       the fast tests'
	@echo 'make check      the gate: ruff, mypy, import rules, the wheel installed and run elsewhere, the fast tests'
	@echo 'make oracle     build the llama.cpp tools that some tests compare with (once, about 10 minutes on two cores)'
	@echo 'make olah       install olah, a mirror of the Hub, which two tests ask (once; apart from .venv)'
	@echo 'make check-all  the gate with the slow tests and the comparisons with llama.cpp'
	@echo 'make setup      only set up .venv; every other target does it when it is needed'
	@echo 'make clean      remove .venv and everything that was made here'
	@echo
	@echo 'PYTHON=python3.13 make … takes another interpreter (3.11 or newer) for .venv.'

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'qtui needs Python 3.11 or newer; name one with PYTHON=python3.13 make …' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || \
	  { echo 'this Python cannot make virtual environments (Debian, Ubuntu: apt install python3-venv)' >&2; exit 1; }
	@echo 'Setting up $(VENV). The first time on a machine pip builds llama.cpp, about 8 minutes on two cores;'
	@echo 'it keeps the result in its cache.'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
	  --group dev --group build --editable .
	@touch $@

demo: $(STAMP)
	@if [ -t 0 ] && [ -t 1 ]; then $(BIN)/qtui demo; else $(BIN)/qtui demo --headless; fi

test: $(STAMP)
	@$(PYTEST) -m '$(FAST)'

lint: $(STAMP)
	@echo 'ruff'
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(STAMP)
	@echo 'mypy'
	@$(BIN)/mypy

contracts: $(STAMP)
	@echo 'import rules'
	@$(BIN)/lint-imports --no-logo

wheel: $(STAMP)
	@echo 'wheel'
	@$(BIN)/python scripts/check_wheel.py

# Tests come last, so that their summary is the last line.
check: lint types contracts wheel
	@$(PYTEST) -m '$(FAST)'

check-all: lint types contracts wheel oracle olah
	@$(PYTEST)

oracle: $(STAMP)
	@$(BIN)/python scripts/oracle.py

olah: $(OLAH)/bin/olah-cli

# A server that nobody here wrote; apart from .venv, since it brings some fifty packages.
$(OLAH)/bin/olah-cli:
	@$(PYTHON) -m venv $(OLAH)
	@$(OLAH)/bin/python -m pip install --quiet --disable-pip-version-check 'olah==0.5.4'

clean:
	rm -rf $(VENV) $(OLAH) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .benchmarks
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
