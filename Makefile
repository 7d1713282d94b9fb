# Watchpost. `make help` lists what can be made; README.md tells why.

SHELL       := /bin/sh
.DEFAULT_GOAL := help
export GOTOOLCHAIN := local
BIN         := bin
FUZZTIME    ?= 1m
T0          := $(shell date +%s.%N)

# Packages with C in them are few leaves; every other package is built and
# raced without.
CGO_PKGS     = $(shell go list -f '{{if .CgoFiles}}{{.ImportPath}}{{end}}' ./device/... ./hwtest/... ./sdk/...)
PURE_TARGETS = watchpost watchpostd watchpost-central hwtest
GO_FILES     = $(shell git ls-files '*.go')

.PHONY: help deps build test demo run lint fuzz soak interop compare clean generate bench tidy-check pure-build ui ui-test

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

deps: ## install what is missing (Debian packages, models, Go modules); twice does nothing
	@hwtest/deps/deps.sh

# Without -trimpath: go test then finds the C++ compiled already (minutes).
build: deps pure-build ## build watchpost, watchpostd, watchpost-central, watchpost-capture, hwtest into bin/
	@echo "build: watchpost-capture (the one with C: about two minutes when cold)"
	@CGO_ENABLED=1 go build -o $(BIN)/watchpost-capture ./device/cmd/watchpost-capture

ui: ## build the officer's page and central's into kiosk-ui/dist*; nothing where nothing has changed
	@hwtest/deps/ui.sh build

ui-test: build ## tests of the pages, and each in Chromium against a real post or central
	@hwtest/deps/ui.sh test
	@hwtest/deps/ui.sh browser
	@hwtest/deps/ui.sh central

# GOEXPERIMENT=simd: vector kernels of device/biometric/kernel on amd64.
pure-build: ui
	@mkdir -p $(BIN)
	@echo "build: watchpost, watchpostd, watchpost-central, hwtest"
	@CGO_ENABLED=0 GOEXPERIMENT=simd go build -trimpath -o $(BIN)/ ./device/cmd/watchpost ./device/cmd/watchpostd ./sdk/central/cmd/watchpost-central ./hwtest/cmd/hwtest

test: build lint ## everything CI runs: lint, unit tests (raced where pure), the demonstration
	@hwtest/deps/test.sh

demo: build ## the six encounters on real parts; exits 0 only if each ended as it must
	@$(BIN)/hwtest demo --bin $(BIN)

run: build ## build all, watch six persons being screened; at a terminal, then work at the page
	@WATCHPOST_T0=$(T0) $(BIN)/hwtest demo --bin $(BIN) --serve=terminal

lint: tidy-check ## gofmt, go vet, staticcheck, go mod tidy without a difference
	@out=$$(gofmt -l $(GO_FILES)); [ -z "$$out" ] || { echo "lint: gofmt differs: $$out"; exit 1; }
	@go vet ./device/... ./sdk/... ./hwtest/... ./kiosk-ui
	@go tool staticcheck ./device/... ./sdk/... ./hwtest/... ./kiosk-ui

tidy-check:
	@go mod tidy -diff || { echo "lint: go mod tidy would change go.mod or go.sum"; exit 1; }

fuzz: ## every fuzz target for FUZZTIME each (make fuzz FUZZTIME=1m)
	@hwtest/deps/fuzz.sh $(FUZZTIME)

soak: build ## the long runs that make test leaves out
	@WATCHPOST_SOAK=1 go test -timeout 120m -count=1 -run 'Soak|LFW|FVC' ./device/... ./sdk/... ./hwtest/...

bench: build ## go benchmarks of the engines
	@go test -run '^$$' -bench . -benchmem ./device/biometric/... ./device/watchlist/...

interop: build ## real counterparts against our parts
	@hwtest/deps/interop.sh

compare: build ## peers beside us in one run, figures printed
	@hwtest/deps/compare.sh

generate: ## regenerate protobuf code (needs Debian's protobuf-compiler)
	@go generate ./sdk/... ./device/... ./hwtest/...

clean: ## remove what make built
	@rm -rf $(BIN)
