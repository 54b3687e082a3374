# Two commands do everything, from a bare checkout on a machine with Python 3.11 or newer (with venv) and make:
#   make demo    the main job on embedded stores: create, fill, plan, upgrade, verify, query
#   make test    the tests, on real servers that are installed and started as needed
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# The tests start hundreds of short processes: without bytecode on disk each would compile every module anew.
export PYTHONDONTWRITEBYTECODE :=
# Processes that run tests side by side. They wait for servers now and then: one more than there are processors.
WORKERS ?= $(shell n=$$(getconf _NPROCESSORS_ONLN || echo 1); echo $$((n < 5 ? n + 1 : 6)))
PYTEST = $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

.PHONY: demo test test-all test-containers ensure-docker build-images check lint types imports generate bench wheel lock clean

demo: $(STAMP)
	$(BIN)/python -m toolkit.demo

test: $(STAMP) check
	$(PYTEST)

test-all: $(STAMP) check
	$(PYTEST) --all-versions

# The same tests on servers in containers: official images, or stand-ins where no registry is reachable.
test-containers: $(STAMP) check
	$(PYTEST) --engines=containers

ensure-docker: $(STAMP)
	$(BIN)/python -m tests.engines ensure-docker

build-images: $(STAMP)
	$(BIN)/python -m tests.engines build-images

check: lint types imports

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

imports: $(STAMP)
	$(BIN)/lint-imports

generate: $(STAMP)
	$(BIN)/temporal-visibility schema generate

bench: $(STAMP)
	$(BIN)/python -m tests.bench.bench_cli

wheel: $(STAMP)
	$(BIN)/uv build --wheel

# Versions are locked in requirements.lock (every extra and the development tools); `make lock` renews it.
$(STAMP): pyproject.toml requirements.lock
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.8,<1'
	$(BIN)/uv pip install --quiet --python $(BIN)/python --requirement requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	touch $@

lock:
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	  --all-extras --group dev --output-file requirements.lock pyproject.toml

clean:
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
