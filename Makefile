# `make` sets up .venv; `make check` before a commit; `make test` is everything.

PYTHON ?= python3
BIN := .venv/bin
# Without it each process that a test starts would compile the whole package anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := .venv/installed
.PHONY: assure check test tools lint demo bench fuzz crash golden nuisance docs pictures electrodes lock clean

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
	$(BIN)/pytest --quiet -m "not slow" --numprocesses auto --dist loadfile tests/unit

# What runs on the real clock mostly waits; nothing that computes runs beside it. Files of few long tests come first, so
# that at the end no processor waits for one of them.
SHARED := --numprocesses auto --dist loadfile --no-loadscope-reorder tests/system tests/virtual tests/faults tests
test: lint tools
	rm -rf build/results
	$(BIN)/pytest -m "not real_time" --results virtual $(SHARED)
	sync # what the stage before has left to be written holds up the records of this one
	$(BIN)/pytest -m "real_time and not alone" --results real-time $(SHARED)
	$(BIN)/pytest -m alone --results alone tests/system
	$(BIN)/rfctl safety matrix --brief --html build/safety-matrix.html

# What tests use beside Python, a program or a file, each with its Debian package.
TOOLS := pdftotext:poppler-utils mosquitto:mosquitto mbpoll:mbpoll zbarimg:zbar-tools gcc:build-essential strace:strace \
	faketime:faketime /usr/include/modbus/modbus.h:libmodbus-dev /usr/include/openssl/evp.h:libssl-dev

tools:
	@for tool in $(TOOLS); do \
		PATH="$$PATH:/usr/sbin" command -v "$${tool%%:*}" > /dev/null && continue; \
		test -e "$${tool%%:*}" && continue; \
		package=$${tool#*:}; sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
		echo "tests need $${tool%%:*}: installing $$package" >&2; \
		{ $$sudo apt-get update -qq && $$sudo apt-get install -y -qq $$package; } || { \
			echo "Install the package $$package, then run make test again." >&2; exit 1; }; \
	done

# The long campaigns, hours of them: each goes on where it stopped, and MINUTES bounds one go of each. What they find is
# committed with the hash of the sources that it is about.
MINUTES ?= 600
assure: .venv/installed mutate
	$(BIN)/python -m tests.assurance run --mode safety --minutes $(MINUTES) 2> build/assurance.log
	$(BIN)/python -m tests.assurance run --mode liveness --minutes $(MINUTES) 2>> build/assurance.log
	$(BIN)/python -m tests.assurance faults --minutes $(MINUTES)
	$(BIN)/python -m tests.assurance normal --minutes $(MINUTES)

# Every state of a procedure under every fault of the catalogue, half an hour: docs/fault-campaign.md.
.PHONY: faults
faults: .venv/installed
	$(BIN)/python -m tests.assurance faults --minutes $(MINUTES)

# One small change of the kernel, the gate or the guard after the other, and which test notices it: docs/mutation.md.
.PHONY: mutate
mutate: .venv/installed
	$(BIN)/python -m tests.mutation --minutes $(MINUTES)

demo: .venv/installed
	$(BIN)/rfctl demo

# Ratios to peers and limits: all of them in a quarter of an hour, one group by ONLY=rtu, fewer rounds by QUICK=1.
bench: .venv-bench/installed
	.venv-bench/bin/python -m benchmarks $(if $(ONLY),--only $(ONLY)) $(if $(QUICK),--quick)

# Everything of .venv, and the clients to compare with.
.venv-bench/locked: .venv/locked benchmarks/requirements.lock
	$(PYTHON) -m venv --clear .venv-bench
	.venv-bench/bin/pip install --quiet --disable-pip-version-check --require-hashes \
		-r requirements.lock -r benchmarks/requirements.lock
	@touch $@

.venv-bench/installed: .venv-bench/locked pyproject.toml
	.venv-bench/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
	@touch $@

# The writer of the record killed, or failed once, at each of its system calls: some minutes. Goes on where it was stopped;
# for a new count, remove the file first.
crash: .venv/installed tools
	$(BIN)/python -m tests.crash .crash.jsonl

# Records of the demonstration and of faults, to be decided again on every run of the tests. After a change of decisions
# that is meant; the difference of tests/golden/summary.txt says what it changed.
golden: .venv/installed
	$(BIN)/python -m tests.golden

# A hundred thousand faulted replies under each framing: some minutes.
fuzz: .venv/installed
	$(BIN)/python -m benchmarks.fuzz > docs/fuzz.md

# Normal procedures through the real kernel, none of which may trip; goes on where it was broken off. 2,000: some minutes.
N ?= 2000
nuisance: .venv/installed
	$(BIN)/python -m benchmarks.nuisance $(N)

docs: .venv/installed
	$(BIN)/python docs/generate.py
	$(BIN)/python docs/validation.py
	$(BIN)/pytest --quiet tests/faults/test_interlock_proofs.py
	$(BIN)/python docs/interlock_times.py

pictures: .venv/installed
	$(BIN)/python docs/pictures.py
	$(BIN)/python docs/report_picture.py

# The electrode table, by the simulator's field model: some seconds.
ELECTRODES := rfctl/model/electrodes.toml
electrodes: .venv/installed
	$(BIN)/python -m rfctl_sim.electrode_table > $(ELECTRODES).new
	mv $(ELECTRODES).new $(ELECTRODES)

# Newest versions that pyproject.toml allows. Needs uv, on the path or as UV=/path/to/uv.
UV ?= uv
COMPILE = $(UV) pip compile --quiet --upgrade --python-version 3.11 --python-platform linux \
	--generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header
lock:
	$(COMPILE) pyproject.toml --group dev --output-file requirements.lock
	$(COMPILE) benchmarks/requirements.in --constraint requirements.lock --output-file benchmarks/requirements.lock

clean:
	rm -rf .venv .venv-bench .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build dist
