# The commands of this project. "make demo" and "make test" are all a newcomer needs; each installs what it is missing.
SHELL := bash
.DEFAULT_GOAL := help
.PHONY: help demo down clean build images lint unit integration test audit screenshots bench soak

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## bring up a demo co-op with one WordPress (DEMO_HTTPS_PORT=8443 DEMO_HTTP_PORT=8080)
	@deploy/demo.sh up

down: ## stop the demo, keep its data
	@deploy/demo.sh down

clean: ## remove every trace of the demo
	@deploy/demo.sh clean

build: ## build bin/chatiere and bin/siteinit
	@deploy/demo.sh build

images: ## build the images whose inputs changed
	@deploy/demo.sh images

lint: ## formatting, golangci-lint, shellcheck
	@deploy/test.sh lint

unit: ## tests that need nothing but Go, with the race detector
	@deploy/test.sh unit

integration: ## tests on real MariaDB, Docker and Keycloak
	@deploy/test.sh integration

test: ## everything: lint, unit, integration, end to end in a browser
	@deploy/test.sh all

audit: ## known vulnerabilities in what we link
	@deploy/test.sh audit

screenshots: ## pictures of every page into .artifacts/
	@deploy/test.sh screenshots

bench: ## figures into docs/benchmarks.md: the proxy beside nginx, HAProxy and Caddy; sites (root, an idle machine)
	@deploy/bench.sh all

soak: ## shake an instance for half an hour, write docs/soak.md (root, a machine of its own; SOAK_FLAGS="-seed 1")
	@deploy/soak.sh run $(SOAK_FLAGS)
