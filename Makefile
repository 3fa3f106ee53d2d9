# The front door. CMake presets (CMakePresets.json) are underneath; scripts/ holds what is longer than a line.

JOBS ?= $(shell nproc)
GODWIT := build/release/bin/godwit

.DEFAULT_GOAL := help
.PHONY: help deps build run test check bench bench-smoke kafka chaos rehearsal image kube

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

deps: ## install everything that building and testing need (Debian 12; root or sudo)
	@scripts/deps check

build: ## build the executable: build/release/bin/godwit
	@scripts/deps build
	@cmake --preset release -DGODWIT_TESTS=OFF $(if $(filter true,$(CI)),-DGODWIT_WERROR=ON) >/dev/null
	@cmake --build --preset release -j $(JOBS) --target godwit

run: build ## install, build and start a whole cluster in one process; nothing leaves the machine
	@scripts/run $(GODWIT)

test: ## run everything that a change must pass
	@scripts/test -j $(JOBS)

check: ## what reviewers should not have to say: format, clang-tidy on changed files, layers, links
	@scripts/deps check
	@scripts/check

kafka: ## tell every story of tests/scenarios on Kafka, each role in its own process (5 minutes)
	@scripts/deps test
	@.venv/bin/python tests/suites.py build kafka-long -j $(JOBS)

chaos: ## break a cluster on purpose: SEED=7 MINUTES=10; writes reliability.json
	@scripts/deps test
	@.venv/bin/python tests/suites.py build -j $(JOBS)
	@.venv/bin/python tests/cluster/chaos.py $(if $(SEED),--seed $(SEED)) --minutes $(or $(MINUTES),10)

image: build ## make the OCI image without Docker, build/image/godwit.oci.tar, and run it under containerd (root)
	@scripts/deps image
	@scripts/image
	@.venv/bin/python tests/suites.py image

kube: build ## install, change, scale and evict the chart on a real control plane of Kubernetes (root; builds it once)
	@scripts/deps test
	@scripts/kubernetes >/dev/null
	@.venv/bin/python tests/suites.py kube

rehearsal: build ## restart every role and go from 2 senders to 5 to 3, under load on three brokers (2 minutes)
	@scripts/deps test
	@.venv/bin/python tests/cluster/rehearsal.py --godwit $(GODWIT)

bench: build ## compare with other mail servers: an hour, writes bench/RESULTS.md; QUICK=1 writes nothing
	@scripts/deps test
	@.venv/bin/python bench/compare $(GODWIT) $(if $(QUICK),--quick,--write)
	@$(if $(QUICK),,.venv/bin/python bench/kafka.py $(GODWIT))

bench-smoke: ## count instructions a message, compare with bench/smoke.json; BASELINE="why" writes it
	@scripts/deps test
	@cmake --preset release -DGODWIT_TESTS=OFF >/dev/null
	@cmake --build --preset release -j $(JOBS) --target bench_smoke
	@.venv/bin/python bench/smoke.py build/release/bin/bench_smoke -j $(JOBS) $(if $(BASELINE),--baseline "$(BASELINE)")
