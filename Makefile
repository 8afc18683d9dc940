# What there is to do with cordon. Each of these does its own set-up first (scripts/setup: the
# Debian packages that are missing, and nothing when none is).
.DEFAULT_GOAL := help
.PHONY: help setup compile demo test check format bench clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' Makefile

setup: ## install what building, testing and checking need
	@scripts/setup all

compile: ## build everything (rebar3 compile, which calls CMake)
	@scripts/setup demo
	@rebar3 compile

demo: ## see it work, in under a minute
	@scripts/setup demo
	@demo/run

test: ## the tests: ctest, then Common Test
	@scripts/setup test
	@scripts/test

check: ## xref, dialyzer, clang-format, clang-tidy on changed files
	@scripts/setup all
	@scripts/check

format: ## clang-format over c_src, test and bench
	@scripts/setup all
	@scripts/check --format

bench: ## what isolation costs, measured; PARTS="limits calls parked life memory"
	@scripts/setup demo
	@bench/run $(PARTS)

clean: ## remove everything that was built
	@scripts/build-native --clean
	@rm -rf _build
