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
REQUIREMENTS := $(foreach name,analysis browser build io judge lint report runtime serve test,requirements/$(name).txt)

# The heavy environment: torch, transformers, sentence-transformers, what training needs, DeepSpeed and, from Python 3.11
# on, vLLM for the CPU and TRL.
MODELS := .venv-models
MODELS_BIN := $(MODELS)/bin
MODELS_PIP := $(MODELS_BIN)/python -m pip --disable-pip-version-check --quiet
MODELS_REQUIREMENTS := $(foreach name,io judge models runtime test train,requirements/$(name).txt)
VLLM_REQUIREMENTS := requirements/vllm.txt requirements/vllm-engine.txt
DEEPSPEED_REQUIREMENTS := requirements/deepspeed.txt
HAS_VLLM = $(MODELS_BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))'

# Trainers: tests/integrations/test_NAME.py runs in an environment of its own where requirements/integrations/NAME.txt lists
# one, otherwise in $(MODELS). What does not support this Python is left out, and `make test-integrations` says so.
INTEGRATIONS := .venv-integrations
PYTHON_VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
LEFT_OUT_3.10 := openrlhf swift trl verifiers verifiers_legacy
LEFT_OUT_3.13 := verl
LEFT_OUT := $(LEFT_OUT_$(PYTHON_VERSION))
TRAINERS := $(filter-out $(LEFT_OUT),$(patsubst tests/integrations/test_%.py,%,$(wildcard tests/integrations/test_*.py)))
LAYERED := $(patsubst requirements/integrations/%.txt,%,$(wildcard requirements/integrations/*.txt))

# Every target that `make help` lists.
.PHONY: $(shell awk -F: '/^[a-z-]+:.*\#\# / {print $$1}' $(firstword $(MAKEFILE_LIST)))

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

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

setup-models: setup $(MODELS)/.installed ## Make .venv-models with torch, transformers, TRL and vLLM for the CPU

# The .pth file shows this environment the package in its source folder, with the extension that `make setup` built.
$(MODELS)/.installed: $(MODELS_REQUIREMENTS) $(VLLM_REQUIREMENTS) $(DEEPSPEED_REQUIREMENTS)
	@echo "Installing torch, transformers and vLLM (several GB, a few minutes) into $(MODELS)"
	@test -x $(MODELS_BIN)/python || $(PYTHON) -m venv $(MODELS)
	@if $(HAS_VLLM); then \
		$(MODELS_PIP) install $(foreach file,$(MODELS_REQUIREMENTS) requirements/vllm.txt,-r $(file)); \
		$(MODELS_PIP) install --no-deps -r requirements/vllm-engine.txt; \
	else \
		echo "Python 3.10: vLLM and TRL need 3.11 or later and are left out"; \
		$(MODELS_PIP) install $(foreach file,$(MODELS_REQUIREMENTS),-r $(file)); \
	fi
	@$(MODELS_PIP) install --no-deps --no-build-isolation -r $(DEEPSPEED_REQUIREMENTS)
	@echo "$(CURDIR)/python" >"$$($(MODELS_BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/rationale_rm.pth"
	@touch $@

demo: setup-models ## Train a judge from nothing, on outcomes alone and with the hybrid reward, and report on both (8 to 16 minutes)
	@$(MODELS_BIN)/python examples/train_demo.py --fresh
	@rm -rf build/demo/eval-*
	@for run in outcome-only hybrid; do \
		$(MODELS_BIN)/python -m rationale_rm eval rationale build/demo/eval-$$run --data world:test:200 --judge oracle --name $$run \
			--model hf:build/demo/$$run/checkpoints/last/model --prompt brief --n-reasons 0 --max-tokens 112 --no-cache --quiet; \
	done
	@$(BIN)/rationale-rm report build/demo/outcome-only build/demo/hybrid build/demo/eval-* --title "make demo" --out build/demo/report.html

experiment: setup-models ## Three seeds under each reward (about 50 minutes); writes docs/experiments/degeneration.json
	@$(MODELS_BIN)/python examples/degeneration.py

align: setup-models ## Policies under the GenRMs of `make experiment` (which it trains where they are missing); writes docs/experiments/align_policy.json (10 minutes)
	@$(MODELS_BIN)/python examples/align_policy.py

demo-score: setup ## Score a careful and a shallow judge of equal outcome accuracy, and compare them
	@$(BIN)/rationale-rm score examples/demo/metajudge-careful.jsonl examples/demo/metajudge-shallow.jsonl
	@echo
	@echo "Both judges are right equally often (OA); only one of them for the human reasons (RC)."
	@echo "The data were authored for this demonstration: examples/demo/README.md. Your own: rationale-rm score --help"

test: test-core test-models test-report test-wheel ## Run every test

test-core: setup ## Run what needs neither torch nor a network: cargo, pytest, doctests, type stubs
	@cargo test --locked --quiet
	@$(BIN)/python -m pytest -q --numprocesses auto --maxprocesses 4 --dist worksteal
	@$(BIN)/python -m mypy.stubtest rationale_rm._core --ignore-disjoint-bases

test-models: setup-models ## Run tests/models: real models, the in-process engines and a real vLLM server
	@$(HAS_VLLM) || echo "Python 3.10: the tests with vLLM and with TRL are left out"
	@$(MODELS_BIN)/python -m pytest -q tests/models $$($(HAS_VLLM) || echo "--ignore-glob=*/test_vllm_*.py --ignore-glob=*/test_*trl*.py")

# The browser is the distribution's: no build of one is downloaded.
setup-browser: ## Find Chromium, or install it where that is possible without asking
	@for name in chromium chromium-browser google-chrome google-chrome-stable; do \
		if command -v $$name >/dev/null; then exit 0; fi; \
	done; \
	if command -v apt-get >/dev/null && test "$$(id -u)" = 0; then \
		echo "Installing Chromium"; mkdir -p build; \
		(apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends chromium fonts-dejavu-core) \
			>build/browser.log 2>&1 || { cat build/browser.log; exit 1; }; \
		rm -f build/browser.log; \
	else \
		echo "The report's tests need Chromium: install it (Debian and Ubuntu: sudo apt-get install chromium)"; exit 1; \
	fi

test-report: setup setup-browser ## Run tests/browser: the HTML report in a real browser
	@$(BIN)/python -m pytest -q tests/browser

report-images: setup setup-browser ## Screenshots of a report on the runs of `make experiment`, into docs/images
	@$(BIN)/python tests/browser/images.py

test-integrations: $(TRAINERS:%=test-%) ## Run tests/integrations: each adapter under the real package of its trainer
	@$(if $(LEFT_OUT),echo "Not on Python $(PYTHON_VERSION): $(LEFT_OUT)")

$(addprefix test-,$(filter $(LAYERED),$(TRAINERS))): test-%: setup $(INTEGRATIONS)/%/.installed
	@$(INTEGRATIONS)/$*/bin/python -m pytest -q tests/integrations/test_$*.py

$(addprefix test-,$(filter-out $(LAYERED),$(TRAINERS))): test-%: setup-models
	@$(MODELS_BIN)/python -m pytest -q tests/integrations/test_$*.py

# A layer over $(MODELS): the .pth file shows it what lies there (pip, pytest, torch …) after its own packages, which therefore win.
# UNDER names a layer in between.
$(INTEGRATIONS)/%/.installed: requirements/integrations/%.txt $(MODELS)/.installed
	@echo "Installing the packages of $* into $(@D)"
	@rm -rf $(@D) && $(MODELS_BIN)/python -m venv --without-pip $(@D)
	@for python in $(UNDER:%=$(INTEGRATIONS)/%/bin/python) $(MODELS_BIN)/python; do \
		$$python -c 'import sysconfig; print(sysconfig.get_path("purelib"))'; \
	done >$(@D)/layers
	@(echo "$(CURDIR)/python"; cat $(@D)/layers) >"$$($(@D)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/layers.pth"
	@$(@D)/bin/python -m pip --disable-pip-version-check --quiet install --no-deps --no-build-isolation -r $<
	@touch $@

# Ray is large, so its users share one.
$(INTEGRATIONS)/verl/.installed $(INTEGRATIONS)/openrlhf/.installed: private UNDER := ray
$(INTEGRATIONS)/verl/.installed $(INTEGRATIONS)/openrlhf/.installed: $(INTEGRATIONS)/ray/.installed

test-wheel: wheel ## Install the wheel into a clean environment with numpy and the CLI's needs alone
	@rm -rf build/wheel-venv && $(PYTHON) -m venv build/wheel-venv
	@build/wheel-venv/bin/python -m pip --disable-pip-version-check --quiet install -c requirements/runtime.txt dist/*.whl
	@cd build && wheel-venv/bin/python ../tests/wheel_smoke.py

bench: setup setup-models setup-browser $(INTEGRATIONS)/ray/.installed ## Measure against the peers; writes build/bench.json
	@$(BIN)/python -m benches.run

tournaments: setup ## What tournaments keep of a round-robin's ranking (1 minute); writes docs/experiments/tournaments.json
	@$(BIN)/python -m benches.tournaments

reason-labels: setup ## Agreement of the rule-based labeller with tests/reasons (HALF=dev or held_out); writes docs/experiments/reason_labels.json
	@$(BIN)/python -m benches.reason_labels --half $(or $(HALF),dev)

soak: setup ## Judge 100,000 requests in one process and follow its memory (2 minutes)
	@$(BIN)/python -m benches.judge_client --soak 100000

soak-server: setup ## Ask the reward server for 10 minutes at the rate it sustains, and follow its memory (SECONDS: other)
	@$(BIN)/python -m benches.server --soak $(or $(SECONDS),600)

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
	rm -rf target fuzz/target fuzz/corpus build dist $(VENV) $(MODELS) $(INTEGRATIONS) python/rationale_rm/*.so .mypy_cache .ruff_cache .pytest_cache .hypothesis
