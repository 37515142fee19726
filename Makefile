# Every target does its own set-up. What each is for: CONTRIBUTING.md
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := $(BIN)/python -P
# On two cores: the programme's core computes all the time, everything else waits for half of it (tests/schedule.py).
# What is not to be traced is a run of its own: in a worker, no_cover stops only the second of two tracers.
COMPUTING := $(BIN)/pytest -n 2 --dist worksteal
WAITING := $(BIN)/pytest -n 3 --dist loadscope --no-loadscope-reorder
# Many containers set this. The tests start hundreds of processes, and each would compile every module anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: venv demo test test-full check bench bench-server bench-large soak test-service test-usb test-powercut pictures lock clean

venv: $(VENV)/ready

$(VENV)/ready: pyproject.toml install/requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Tillmate needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	@echo "setting up $(VENV), once: about a minute"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r install/requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	touch $@

demo: venv
	$(BIN)/tillmate demo

check: venv
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check
	tests/rig/debian.sh chromium cups-client cups-daemon curl fonts-dejavu-core postgresql shellcheck strace systemd
	$(COMPUTING) tests/loyalty -m 'not no_cover' --cov
	$(COMPUTING) tests/loyalty -m no_cover
	$(WAITING) --ignore tests/loyalty

test-full: check
	tests/rig/debian.sh chromium cups-client cups-daemon curl fonts-dejavu-core postgresql shellcheck strace systemd
	$(COMPUTING) --full tests/loyalty -m 'not no_cover' --cov
	$(COMPUTING) --full tests/loyalty -m no_cover
	$(WAITING) --full --ignore tests/loyalty

bench: venv
	tests/rig/debian.sh chromium
	$(RUN) benchmarks/scan_to_paint.py
	$(RUN) benchmarks/quote.py
	$(RUN) benchmarks/codes.py
	$(RUN) benchmarks/scanning.py
	$(RUN) benchmarks/paper.py
	$(RUN) benchmarks/printing.py
	tests/rig/debian.sh strace
	$(RUN) benchmarks/queue_speed.py

bench-large: venv
	tests/rig/debian.sh strace
	$(RUN) benchmarks/queue_speed.py --rows 5000000

soak: venv
	$(BIN)/pytest tests/end_to_end/chaos/test_chaos.py --kills 2000

bench-server: venv
	tests/rig/debian.sh postgresql
	$(RUN) benchmarks/server.py
	$(RUN) benchmarks/feed.py

test-service: venv
	tests/rig/service.sh

test-usb: venv
	tests/rig/usb.sh

test-powercut: venv
	tests/rig/powercut.sh

pictures: venv
	tests/rig/debian.sh chromium
	$(RUN) docs/pictures.py
	$(RUN) docs/receipts.py

lock:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --extra server pyproject.toml --output-file install/requirements.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --extra server-postgresql pyproject.toml --output-file install/requirements-server-postgresql.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --extra server --extra os-queue pyproject.toml --output-file install/requirements-os-queue.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --extra dev pyproject.toml --output-file install/requirements-dev.txt

clean:
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage*
