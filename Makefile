# `make` sets up .venv; `make check` before a commit; `make test` is everything.

PYTHON ?= python3
BIN := .venv/bin
QUICK_TESTS := $(wildcard tests/unit tests/contract tests/property)

.DEFAULT_GOAL := .venv/installed
.PHONY: check test tools lint demo bench fuzz docs pictures lock clean

# The locked packages, hash by hash. A Debian Python without its venv package gets it by apt.
.venv/locked: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "rfctl needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) --version 2>&1)." >&2; \
		echo "Name another one: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		package=$$($(PYTHON) -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'); \
		sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
		echo "$(PYTHON) cannot make environments: installing $$package" >&2; \
		{ $$sudo apt-get update -qq && $$sudo apt-get install -y -qq $$package; } || { \
			echo "Install the package $$package, then run make again." >&2; exit 1; }; }
	$(PYTHON) -m venv --clear .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

.venv/installed: .venv/locked pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
	$(BIN)/pip check --disable-pip-version-check
	@touch $@

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint
	$(BIN)/pytest --quiet $(QUICK_TESTS)

test: lint tools
	$(BIN)/pytest

# Programs that tests use beside Python, each with its Debian package.
TOOLS := pdftotext:poppler-utils mosquitto:mosquitto mbpoll:mbpoll

tools:
	@for tool in $(TOOLS); do \
		PATH="$$PATH:/usr/sbin" command -v "$${tool%%:*}" > /dev/null && continue; \
		package=$${tool#*:}; sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
		echo "tests need $${tool%%:*}: installing $$package" >&2; \
		{ $$sudo apt-get update -qq && $$sudo apt-get install -y -qq $$package; } || { \
			echo "Install the package $$package, then run make test again." >&2; exit 1; }; \
	done

demo: .venv/installed
	$(BIN)/rfctl demo

bench: .venv/installed
	$(BIN)/python benchmarks/times_real_time.py

# A hundred thousand faulted replies under each framing: some minutes.
fuzz: .venv/installed
	$(BIN)/python -m benchmarks.fuzz > docs/fuzz.md

docs: .venv/installed
	$(BIN)/python docs/generate.py

pictures: .venv/installed
	$(BIN)/python docs/pictures.py
	$(BIN)/python docs/report_picture.py

# Newest versions that pyproject.toml allows. Needs uv, on the path or as UV=/path/to/uv.
UV ?= uv
lock:
	$(UV) pip compile pyproject.toml --group dev --quiet --upgrade --python-version 3.11 --python-platform linux \
		--generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header \
		--output-file requirements.lock

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist
