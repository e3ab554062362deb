# Everything one does with this repository. `make help` lists it.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# One build cache for all clones of this repository.
export CARGO_TARGET_DIR ?= $(HOME)/.cache/spil

# `make run WORKERS=5000 ARGS="--seed 7"`
WORKERS ?= 500
ARGS ?=
# `dev` is compiled sooner, `release` answers sooner. `make test` shares what `dev` has compiled.
PROFILE ?= dev
profile_dir = $(if $(filter dev,$(PROFILE)),debug,$(PROFILE))

.PHONY: help run build console test lint bench clean-demo

help: ## Lists the targets.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

run: ## Builds all and starts it with a demo organisation (WORKERS=500, PROFILE=dev, ARGS=).
	@scripts/console.sh || echo "console: not built (see above); /graphiql will only say how to build it" >&2
	@cargo build --locked --profile $(PROFILE) -p spil-server --bin spil
	@exec "$$CARGO_TARGET_DIR/$(profile_dir)/spil" demo --workers $(WORKERS) $(ARGS)

build: console ## Builds the binary for production.
	@cargo build --locked --release -p spil-server --bin spil
	@echo "$$CARGO_TARGET_DIR/release/spil"

console: ## Builds the web pages, if Node.js is there.
	@scripts/console.sh

test: console ## Runs every test, with a PostgreSQL of its own.
	@scripts/test.sh

lint: ## Checks formatting, lints, and (if cargo-deny is there) licences and dependencies.
	@cargo fmt --all --check
	@cargo clippy --locked --workspace --all-targets -- -D warnings
	@if command -v cargo-deny >/dev/null; then cargo deny check; else echo "lint: cargo-deny is not there, deny.toml was not checked" >&2; fi

bench: ## Runs the benches.
	@cargo bench --locked --workspace

clean-demo: ## Forgets the demo organisation.
	@rm -rf .spil
