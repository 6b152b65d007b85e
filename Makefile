# Every target does its own set-up; people and CI run the same ones. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
export RATIONALE_RM_DATA ?= $(CURDIR)/../shared/data

RUST := $(shell find rust -name '*.rs') Cargo.toml Cargo.lock
REQUIREMENTS := $(foreach name,build io judge lint runtime test,requirements/$(name).txt)

.PHONY: help setup demo test test-core test-wheel bench bench-rust lint format wheel docs fuzz clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.built ## Make .venv, install pinned requirements, build the Rust extension in release mode

$(VENV)/.installed: $(REQUIREMENTS)
	@echo "Installing the pinned requirements into $(VENV)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) install $(foreach file,$(REQUIREMENTS),-r $(file))
	@touch $@

$(VENV)/.built: $(VENV)/.installed $(RUST) pyproject.toml
	@echo "Building the Rust extension (release mode)"
	@VIRTUAL_ENV="$(CURDIR)/$(VENV)" $(BIN)/maturin develop --release --locked --quiet >$(VENV)/build.log 2>&1 \
		|| { cat $(VENV)/build.log; exit 1; }
	@touch $@

demo: setup ## Score a careful and a shallow judge of equal outcome accuracy, and compare them
	@$(BIN)/rationale-rm score examples/demo/metajudge-careful.jsonl examples/demo/metajudge-shallow.jsonl
	@echo
	@echo "Both judges are right equally often (OA); only one of them for the human reasons (RC)."
	@echo "The data were authored for this demonstration: examples/demo/README.md. Your own: rationale-rm score --help"

test: test-core test-wheel ## Run every test

test-core: setup ## Run what needs neither torch nor a network: cargo, pytest, doctests, type stubs
	@cargo test --locked --quiet
	@$(BIN)/python -m pytest -q
	@$(BIN)/python -m mypy.stubtest rationale_rm._core --ignore-disjoint-bases

test-wheel: wheel ## Install the wheel into a clean environment with numpy and the CLI's needs alone
	@rm -rf build/wheel-venv && $(PYTHON) -m venv build/wheel-venv
	@build/wheel-venv/bin/python -m pip --disable-pip-version-check --quiet install -c requirements/runtime.txt dist/*.whl
	@cd build && wheel-venv/bin/python ../tests/wheel_smoke.py

bench: setup ## Measure against the peers; writes build/bench.json
	@$(BIN)/python -m benches.run

bench-rust: ## Criterion benches of the core
	@cargo bench

lint: setup ## rustfmt, clippy, ruff, mypy
	@cargo fmt --check
	@cargo clippy --locked --quiet --all-targets -- -D warnings
	@PYO3_PYTHON="$(CURDIR)/$(BIN)/python" cargo clippy --locked --quiet --all-targets --all-features -- -D warnings
	@RUSTDOCFLAGS="-D warnings" cargo doc --locked --quiet --no-deps
	@cargo fmt --check --manifest-path fuzz/Cargo.toml
	@cargo metadata --locked --format-version 1 --manifest-path fuzz/Cargo.toml >/dev/null
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@echo "lint: ok"

format: setup ## Format Rust and Python
	@cargo fmt
	@cargo fmt --manifest-path fuzz/Cargo.toml
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix-only .

wheel: setup ## Build the abi3 wheel into dist/
	@rm -rf dist
	@VIRTUAL_ENV="$(CURDIR)/$(VENV)" $(BIN)/maturin build --release --locked --quiet --out dist
	@ls dist

docs: ## Build the Rust documentation
	@cargo doc --no-deps

fuzz: ## Fuzz the four parsers on the stable toolchain (RUNS executions each, 2.5 million by default)
	@bash fuzz/run.sh $(or $(RUNS),2500000)

clean: ## Remove everything that was built
	rm -rf target fuzz/target fuzz/corpus build dist $(VENV) python/rationale_rm/*.so .mypy_cache .ruff_cache .pytest_cache .hypothesis
