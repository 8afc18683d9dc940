# What there is to do with cordon. Each of these does its own set-up first (scripts/setup: the
# Debian packages that are missing, and nothing when none is).
.DEFAULT_GOAL := help
.PHONY: help setup compile demo test test-otp27 check format bench clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' Makefile

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

test-otp27: ## the tests with Erlang/OTP 27, in a chroot with Debian 13 (as root)
	@scripts/test-otp27

check: ## xref, dialyzer, clang-format, clang-tidy on changed files
	@scripts/setup all
	@scripts/check

format: ## clang-format over c_src, test and bench
	@scripts/setup all
	@scripts/check --format

bench: ## what isolation costs, measured in ten minutes; BENCH=quick in one; PARTS="calls work"
	@scripts/setup bench
	@bench/run $(PARTS)

clean: ## remove everything that was built
	@scripts/build-native --clean
	@rm -rf _build
