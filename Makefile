# One target for each habit. `make help` lists them.
SHELL := /bin/bash
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
LAB_FLAGS = $(if $(--kubevirt),--kubevirt=$(--kubevirt)) $(if $(--nodes),--nodes=$(--nodes))
NODE = node --disable-warning=ExperimentalWarning

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint types unit protocol lab-test lab lab-down lab-status images bench conformance generate lock format clean

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Debian packages, npm packages and Node 24 of this checkout; quick when all is there
	@scripts/setup.sh

demo: ## the whole story on the lab: install, VMs, restarts, live migrations; report in out/demo/
	@export MOORING_STARTED_MS=$$(date +%s%3N); scripts/setup.sh && exec $(NODE) test/lab/demo/main.ts $(DEMO_FLAGS)

test: setup ## every check and test; ends with `N passed, N failed, N skipped`
	@$(NODE) scripts/test/run.ts

lint: setup ## formatting, lint rules, import directions, size budgets, generated files
	@biome check --error-on-warnings . && oxlint --deny-warnings src scripts test bench && $(NODE) scripts/lint/imports.ts && $(NODE) scripts/lint/faults.ts && $(NODE) scripts/codegen/crds.ts --check && $(NODE) scripts/codegen/ovsdb.ts --check

types: setup ## TypeScript, strict
	@tsc --noEmit

unit: setup ## unit tests: no root, no network
	@vitest run --project unit

protocol: setup ## tests against real ovsdb-server, kube-apiserver, kernel namespaces
	@vitest run --project protocol

lab-test: setup ## tests on the lab; brings it up if it is not
	@vitest run --project lab

lab: setup ## bring the lab up; `make lab -- --kubevirt=external` leaves KubeVirt's controllers to you
	@$(NODE) test/lab/lab.ts up $(LAB_FLAGS)

lab-down: setup ## remove every trace of the lab, also of an aborted run
	@$(NODE) test/lab/lab.ts down

lab-status: setup ## what of the lab is up
	@$(NODE) test/lab/lab.ts status

images: setup ## rebuild the product's images and load them into the lab
	@$(NODE) test/lab/lab.ts images

bench: setup ## one benchmark: `make bench NAME=cni` writes out/bench/cni.json
	@test -n "$(NAME)" || { echo "which one? make bench NAME=<one of: $$(ls bench/*.ts | xargs -n1 basename -s .ts | xargs)>"; exit 2; }
	@test -f "bench/$(NAME).ts" || { echo "there is no bench/$(NAME).ts; there are: $$(ls bench/*.ts | xargs -n1 basename -s .ts | xargs)"; exit 2; }
	@exec $(NODE) bench/$(NAME).ts $(BENCH_FLAGS)

conformance: setup ## the suite for CNI plugins: ours beside the reference ones; table in out/conformance/
	@exec $(NODE) test/conformance/run.ts $(CONFORMANCE_FLAGS)

generate: setup ## types of CRDs and OVSDB tables, reference documents
	@$(NODE) scripts/codegen/crds.ts && $(NODE) scripts/codegen/ovsdb.ts && $(NODE) scripts/codegen/docs.ts && $(NODE) scripts/lint/faults.ts --write

lock: ## complete package-lock.json after `npm install PACKAGE`
	@$(NODE) scripts/lock/complete.ts

format: setup ## format everything
	@biome check --write .

clean: ## remove what this checkout built (caches outside of it stay)
	@rm -rf out dist node_modules
