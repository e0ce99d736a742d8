# Every task of the project, by name. `make help` lists them; CI calls the same ones.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# The Swift runtime is linked in: one file to copy, and it starts faster.
RELEASE := swift build -c release --static-swift-stdlib
WEIR := .build/release/weir
SOURCES := $(wildcard Sources Tests bench)
SHELL_FILES := .ci/run $(wildcard scripts/*.sh) $(wildcard bench/*.sh)
IMAGE ?= weir:latest
CONTAINER ?= $(firstword $(notdir $(shell command -v podman docker 2>/dev/null)) docker)
# Arguments for the tests, such as FILTER=StateTests.
FILTER ?=

# What a later part of the project brings is called when it is there, and said to be absent until then.
absent = { echo "make $@: $(1) is not built yet" >&2; exit 1; }

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## check the compiler, install missing Debian packages (or say how)
	@scripts/setup.sh

.PHONY: libraries
libraries: ## the part of setup that building wants
	@scripts/setup.sh build

.PHONY: build
build: libraries ## the release binary, .build/release/weir
	$(RELEASE) --product weir

.PHONY: demo
demo: build ## a generated stream, aggregates and a dashboard, no Kafka: make demo [SECONDS=20]
	@$(WEIR) demo $(if $(SECONDS),--seconds $(SECONDS))

.PHONY: test
test: setup ## all tests, under 10 minutes: make test [FILTER=StateTests]
	@scripts/test.sh $(if $(FILTER),--filter '$(FILTER)')

.PHONY: lint
lint: setup ## formatting, shell syntax and the house rules (tidy tests)
	swift format lint -s -r -p Package.swift $(SOURCES)
	for file in $(SHELL_FILES); do bash -n "$$file"; done
	@if command -v shellcheck >/dev/null; then shellcheck -S warning $(SHELL_FILES); fi
	@scripts/test.sh --filter TidyTests

.PHONY: format
format: setup ## write all Swift files the way lint wants them
	swift format -i -r -p Package.swift $(SOURCES)

.PHONY: bench
bench: libraries ## events per second, CPU and memory per event beside a bare drain; writes bench.json
	$(RELEASE) --product weir-bench
	.build/release/weir-bench $(ARGS)

.PHONY: bench-long
bench-long: libraries ## the same with 10 M events, all of whose keys stay alive
	$(RELEASE) --product weir-bench
	.build/release/weir-bench --long $(ARGS)
	.build/release/weir-bench spill

.PHONY: counts
counts: setup ## instructions, allocations, retains and locks per event, gated: the same on a busy machine
	$(RELEASE) --product weir-bench
	.build/release/weir-bench counts

.PHONY: chaos
chaos: build ## kill -9, pauses, broker faults, crash points, deliberate mistakes; rows and books must be exact
	@test -x scripts/chaos.sh || $(call absent,the chaos run)
	scripts/chaos.sh

.PHONY: other-librdkafka
other-librdkafka: setup ## tests that want a broker, in a root of Debian 13 with its librdkafka 2.8: make other-librdkafka [ARGS='COMMAND …']
	scripts/other-librdkafka.sh $(ARGS)

.PHONY: fuzz
fuzz: setup ## random conditions beside SQLite, bytes into the decoder and the topology reader: make fuzz [ARGS='--seconds 600']
	scripts/fuzz.sh $(ARGS)

.PHONY: image
image: build ## a container image around the release binary: make image [IMAGE=weir:latest]
	install -D -m 0755 $(WEIR) .build/image/weir
	$(CONTAINER) build $(if $(filter podman,$(CONTAINER)),--format docker) --target prebuilt -t $(IMAGE) .

.PHONY: clean
clean: ## everything that was built
	rm -rf .build
