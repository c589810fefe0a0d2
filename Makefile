# Everything a user or developer types. `make demo` and `make test` work on a fresh clone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEVELOP := $(VENV)/.ready-to-develop
DB ?= bilderatlas.duckdb
MODEL ?= auto
ARGS ?=
WORKERS ?= 2
export HF_HUB_DISABLE_TELEMETRY = 1
# Compiled once, for the tests start many processes: without it each of them would compile all of this code anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup develop lock demo ingest dashboard test test-ray test-slow torture bench bench-search bench-map experiment-megapixel experiment-clutter screenshots lint browser clean

help:
	@echo "make demo                     set up, read the sample paintings, open the dashboard"
	@echo "make ingest DIR=~/scans       read a folder of your own (DB=file MODEL=name ARGS=\"more options\")"
	@echo "make dashboard                open the dashboard (DB=file)"
	@echo "make test | test-slow         all tests | the long ones"
	@echo "make test-ray                 with Ray: the tests of --engine ray (docs/cluster.md)"
	@echo "make lock                     after a change of requirements*.txt: name every package and its version anew"
	@echo "make torture                  kill ingests, fill the disk, attack the SQL page; prints a table (ARGS=\"statements routes\")"
	@echo "make bench                    measure speed and storage; writes docs/benchmarks.md"
	@echo "make bench-map                measure the map of pictures in a browser (ARGS=--quick)"
	@echo "make experiment-megapixel     train the selection of patches on generated pictures (DB=file EXPERIMENT=file)"
	@echo "make experiment-clutter       train without labels on cluttered digits: does attention leave the clutter? (DB=file)"
	@echo "make screenshots              take the README's pictures anew"

setup: $(READY)

develop: $(DEVELOP)

# uv installs in a sixth of the time that pip takes. The lock files name every package, so nothing is resolved here.
INSTALL = $(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --requirement

$(BIN)/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name it with: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check uv==0.13.9

$(READY): requirements.lock | $(BIN)/uv
	$(INSTALL) requirements.lock
	@touch $(READY)

$(DEVELOP): requirements-dev.lock | $(BIN)/uv
	$(INSTALL) requirements-dev.lock
	@touch $(READY) $(DEVELOP)

# After a change of requirements.txt or requirements-dev.txt.
lock: | $(BIN)/uv
	$(LOCK) requirements.txt --output-file requirements.lock
	$(LOCK) requirements.txt requirements-dev.txt --output-file requirements-dev.lock

LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate

demo: setup
	$(BIN)/python -m ingest run examples/paintings --db "$(DB)" $(ARGS)
	BILDERATLAS_DB="$(DB)" $(BIN)/streamlit run dashboard/app.py

ingest: setup
	@test -n "$(DIR)" || { echo "name the folder: make ingest DIR=~/scans"; exit 2; }
	$(BIN)/python -m ingest run "$(DIR)" --db "$(DB)" --model "$(MODEL)" $(ARGS)

dashboard: setup
	BILDERATLAS_DB="$(DB)" $(BIN)/streamlit run dashboard/app.py

# Browser tests drive Debian's Chromium, its headless shell if there is one: installed where that is allowed; skipped, and
# said so, where there is none.
APT = DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends fonts-dejavu-core
browser:
	@command -v chromium-headless-shell >/dev/null || command -v chromium >/dev/null || { test "$$(id -u)" = 0 && \
		command -v apt-get >/dev/null && apt-get update -qq && \
		{ $(APT) chromium-headless-shell >/dev/null 2>&1 || $(APT) chromium >/dev/null; }; } || \
		echo "no chromium here, and it cannot be installed: browser tests will be skipped"

# At their end both say which tests took longest, and which failed and why.
PYTEST = $(BIN)/python -m pytest --durations=20 --tb=short -rf
SHARED = -n $(WORKERS) --dist loadfile --no-loadscope-reorder

# What failed is run once more, alone: a page of the browser that was late beside a busy worker is in time then, and a
# fault fails again. What the first run said stays above.
AGAIN = { test $$? = 1 && echo "once more, alone:" && $(PYTEST) --last-failed --last-failed-no-failures none; }

test: develop browser lint
	$(PYTEST) -m "not slow" $(SHARED) --ignore=tests/torture || $(AGAIN)
	$(PYTEST) -m "not slow" $(SHARED) tests/torture

# Ray is no part of the usual set-up: with it come the tests of the engine on a cluster of two machines.
test-ray: develop
	$(BIN)/uv pip install --quiet --python $(BIN)/python --requirement requirements-ray.txt
	$(BIN)/python -m pytest tests/ingest/test_shards.py tests/ingest/test_ray.py

test-slow: develop browser
	$(PYTEST) -m slow

torture: develop browser
	$(BIN)/python -m tests.torture $(ARGS)

lint: develop
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyrefly check

bench: develop
	$(BIN)/python -m tests.bench

bench-search: develop
	$(BIN)/python -m tests.bench.search $(ARGS)

bench-map: develop browser
	$(BIN)/python -m tests.bench.map $(ARGS)
	$(BIN)/python -m tests.bench.pages

# What training selects and how well it does, over the size of the objects and of the training set. A picture costs 5.6 ms
# of one core an epoch: an estimated 1,200 s in all, and 270 s with
# EXPERIMENT=examples/configs/experiment-megapixel-small.yml.
EXPERIMENT ?= examples/configs/experiment-megapixel.yml
experiment-megapixel: setup
	$(BIN)/python -m ingest experiment "$(EXPERIMENT)" --db "$(DB)" $(ARGS)

# What attention leaves the clutter for: nine trainings without labels, and random weights.
experiment-clutter: setup
	$(BIN)/python -m ingest experiment examples/configs/clutter.yml --db "$(DB)" $(ARGS)

screenshots: develop browser
	$(BIN)/python -m tests.browser.screenshots

clean:
	rm -rf $(VENV) build
