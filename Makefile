# Frostfleet. `make` prints what there is.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GO ?= go
SEEDS ?= 20000
FUZZTIME ?= 1m
BENCH ?= .
KEYS ?= 1000000
ONLY ?=
SEED ?= 0
LONG ?=
FASTER ?= 5
ADDRESSES ?= 100000
MUTATIONS ?= 100000
GOLANGCI_VERSION := v2.15.0
PERF_VERSION := v0.0.0-20260908200009-22c9c6c9d4da

CACHE := $(CURDIR)/.cache
VENV := $(CACHE)/venv
SCHEMATHESIS := $(CACHE)/schemathesis
JNATS := $(CACHE)/jnats
NODE := $(CACHE)/node
CONSENSUS := $(CACHE)/consensus/release/consensus
ZF := $(CACHE)/zf/release/zf
LINTER := $(CACHE)/bin/golangci-lint-$(GOLANGCI_VERSION)
BENCHSTAT := $(CACHE)/bin/benchstat-$(PERF_VERSION)
PROGRAMS := frostctl frost-worker frost-gateway
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)

help: ## print this list
	@echo "Frostfleet: FROST threshold signing on NATS JetStream"; echo
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: build ## build, then run a 2-of-3 fleet: generate, sign, verify, take a node away, sign again
	./bin/frostctl demo

build: export GOFLAGS += $(if $(VERSION),-ldflags=-X=github.com/frostfleet/frostfleet/internal/command.version=$(VERSION))
build: ## build ./bin/frostctl, ./bin/frost-worker and ./bin/frost-gateway
	$(GO) build -trimpath -o bin/ $(PROGRAMS:%=./cmd/%)

man: build ## the man pages of all commands of the three programs, into ./man
	rm -rf man
	set -e; for program in $(PROGRAMS); do ./bin/$$program man man; done

test: devices ## go vet, all tests, most under the race detector, 2,000 seeds of the simulator
	GO="$(GO)" $(WITH_DEVICES) scripts/test

test-dkg: devices ## a 2-of-3 key generation and a signature with each key provider, and with a mixed fleet
	$(WITH_DEVICES) $(GO) test -count 1 -v ./test/providers

emulator: $(VENV)/ready ## an imitation of AWS on http://127.0.0.1:5000, to rehearse docs/aws-kms.md
	$(VENV)/bin/python test/kmstest/launch_moto.py 5000

sim: ## more of the simulator: make sim SEEDS=100000
	$(GO) test ./test/sim -run TestSeeds -count 1 -timeout 0 -v -seeds $(SEEDS)

chaos: ## break a fleet of real processes: four seeds (SEED=n; LONG=1: half an hour, figures; ONLY=regexp)
	$(GO) run ./test/chaos/run -seed '$(SEED)' $(if $(LONG),-long) -only '$(ONLY)' -out bench/chaos.json

interop: setup $(VENV)/ready $(NODE)/interop/ready $(CONSENSUS) $(ZF) ## against what others wrote (ADDRESSES=100000)
	$(WITH_DEVICES) $(GO) test -count 1 -v -timeout 0 ./test/interop -args -addresses $(ADDRESSES)

mutations: ## changed transactions against reader and policy (MUTATIONS=100000)
	$(GO) test -count 1 -v -timeout 0 ./test/mutations -args -mutations $(MUTATIONS) -seed $(SEED)

schemathesis: setup $(SCHEMATHESIS)/ready ## ten minutes of requests against the HTTP API, by its OpenAPI document
	$(WITH_DEVICES) $(GO) test -count 1 -v -timeout 0 ./test/schemathesis -args -long

mutants: ## take one property after the other away from the code: does its test notice? (half an hour; ONLY=regexp)
	$(GO) run ./test/mutants -out bench/mutants.json -only '$(ONLY)'

bench-hsm: devices ## what key hardware costs, with injected latency; writes bench/hsm.json
	$(GO) test -timeout 30m -run '^$$' -bench . -benchtime 1x ./test/benchhsm -args -out "$(CURDIR)/bench/hsm.json"

bench: ## every goal in one run, into bench/result.json (20 minutes; parts: BENCH=regexp)
	GO="$(GO)" BENCH='$(BENCH)' KEYS='$(KEYS)' scripts/bench

bench-compare: $(BENCHSTAT) ## the mathematics' Go benchmarks (BENCH=regexp) against bench/baseline.txt, by benchstat
	GO="$(GO)" BENCH='$(BENCH)' BENCHSTAT="$(BENCHSTAT)" scripts/bench-compare

bench-save: ## the same benchmarks, to be the next bench/baseline.txt
	GO="$(GO)" scripts/bench-compare --save

lint: $(LINTER) ## golangci-lint with the import rules of .golangci.yml
	$(LINTER) config verify
	$(LINTER) run --allow-parallel-runners ./...

fuzz: ## every fuzz target for FUZZTIME each (1m): make fuzz FUZZTIME=10m
	GO="$(GO)" scripts/fuzz $(FUZZTIME)

monitoring: setup ## a fleet under load with a real Prometheus, and trouble on request: make monitoring FAULT='kill 2'
	$(GO) run ./test/monitor/run -faster $(FASTER)

e2e: devices ## end-to-end tests: txtar scripts over the real programs
	$(WITH_DEVICES) $(GO) test -count 1 -v ./test/e2e

stories: devices ## a fleet changes: lost node, PKCS#11 to AWS KMS and back, refresh, 3-of-5 and back (ONLY=regexp)
	$(WITH_DEVICES) $(GO) test -count 1 -v -timeout 30m -run '$(ONLY)' ./test/stories -args -long

clean: ## remove ./bin and ./.cache (tools, Python environment)
	rm -rf bin .cache

# Installed beside the module, so go.mod stays free of the linter's dependencies.
$(LINTER):
	mkdir -p $(CACHE)/bin/new
	GOBIN=$(CACHE)/bin/new $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	mv $(CACHE)/bin/new/golangci-lint $@

$(BENCHSTAT):
	mkdir -p $(CACHE)/bin/new
	GOBIN=$(CACHE)/bin/new $(GO) install golang.org/x/perf/cmd/benchstat@$(PERF_VERSION)
	mv $(CACHE)/bin/new/benchstat $@

# SoftHSM2 is the tests' PKCS#11 token, and moto's server their AWS KMS.
WITH_DEVICES = FROSTFLEET_PYTHON="$(VENV)/bin/python" FROSTFLEET_JNATS="$(JNATS)" FROSTFLEET_NODE="$(NODE)" \
	FROSTFLEET_CONSENSUS="$(CONSENSUS)" FROSTFLEET_ZF="$(ZF)" FROSTFLEET_SCHEMATHESIS="$(SCHEMATHESIS)/bin/schemathesis"
devices: setup $(VENV)/ready $(SCHEMATHESIS)/ready $(JNATS)/ready $(CONSENSUS) $(ZF) \
	$(addprefix $(NODE)/,interop/ready typescript/ready console/ready)
setup:
	GO="$(GO)" scripts/setup

# For moto, for AWS's command line, for the Python example of docs/jobs.md, which a test runs, and for test/interop.
REQUIREMENTS := docs/examples/python/requirements.txt test/requirements.txt test/interop/requirements.txt
$(VENV)/ready: $(REQUIREMENTS) | setup
	python3 -m venv --clear $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check $(REQUIREMENTS:%=-r %)
	touch $@

# On its own, as it wants other versions of what moto wants, too.
$(SCHEMATHESIS)/ready: test/schemathesis/requirements.txt | setup
	python3 -m venv --clear $(SCHEMATHESIS)
	$(SCHEMATHESIS)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	touch $@

# For the Java example of docs/jobs.md.
$(JNATS)/ready: docs/examples/java/pom.xml | setup
	mvn -q -B -f $< dependency:copy-dependencies -DoutputDirectory="$(JNATS)"
	touch $@

# For test/interop, for the TypeScript example of docs/jobs.md, and for test/console. No package's scripts run.
$(NODE)/interop/ready: test/interop/package.json test/interop/package-lock.json | setup
$(NODE)/typescript/ready: docs/examples/typescript/package.json docs/examples/typescript/package-lock.json | setup
$(NODE)/console/ready: test/console/package.json test/console/package-lock.json | setup
$(NODE)/%/ready:
	mkdir -p $(@D)
	cp $^ $(@D)
	npm ci --prefix $(@D) --ignore-scripts --no-audit --no-fund --silent
	touch $@

# Bitcoin Core's script verification as a crate, for test/interop.
$(CONSENSUS): $(addprefix test/interop/consensus/,Cargo.toml Cargo.lock src/main.rs) | setup
	cargo build --release --locked --quiet --manifest-path $< --target-dir $(CACHE)/consensus
	touch $@

# ZF frost, for test/interop; test/bench builds it into the same folder.
$(ZF): $(addprefix bench/baseline-zf/,Cargo.toml Cargo.lock src/main.rs src/sign.rs src/signer.rs) | setup
	cargo build --release --locked --quiet --manifest-path $< --target-dir $(CACHE)/zf
	touch $@

.PHONY: help demo build man test test-dkg emulator sim chaos interop mutations mutants bench bench-compare bench-save
.PHONY: bench-hsm lint fuzz monitoring schemathesis e2e stories devices setup clean
