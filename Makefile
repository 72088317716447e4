# mailpull: make help lists what there is.

GO      ?= go
BIN     := bin/mailpull
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
COMMIT  ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)
FUZZTIME ?= 30s
FAULTS  := $(CURDIR)/bin/figures-faults

# The race detector needs cgo and a C compiler.
RACE := $(shell [ "$$($(GO) env CGO_ENABLED)" = 1 ] && command -v $$($(GO) env CC) >/dev/null 2>&1 && echo -race)

.DEFAULT_GOAL := build

##@ Use

.PHONY: build
build: ## build bin/mailpull, static
	@mkdir -p bin
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/mailpull

.PHONY: run
run: build ## pull what the configuration names; without one, show a demonstration
	@if $(BIN) config path >/dev/null 2>&1; then $(BIN) run; else $(BIN) demo; fi

.PHONY: install
install: ## copy bin/mailpull, once built, to $(DESTDIR)/usr/local/bin
	@test -x $(BIN) || { echo 'there is no $(BIN) yet: run make build first'; exit 1; }
	install -D -m 0755 $(BIN) $(DESTDIR)/usr/local/bin/mailpull

##@ Test

.PHONY: test
test: check servers ## everything: formatting, vet, unit, conformance, fault and end-to-end tests
	@mkdir -p bin && rm -f bin/figures-test
	MAILPULL_FIGURES=$(CURDIR)/bin/figures-test $(GO) test -shuffle=on -timeout 20m ./...
	@sort bin/figures-test
	@command -v dovecot >/dev/null 2>&1 || echo 'SKIPPED: dovecot is not installed: the end-to-end tests did not run'

.PHONY: race
race: ## the tests under the race detector; suites of faults take every n-th case
ifeq ($(RACE),)
	@echo 'SKIPPED: the race detector needs cgo and a C compiler'
	@test "$(MAILPULL_REQUIRE_FAULTS)" != 1
else
	$(GO) test $(RACE) -short -timeout 20m ./...
endif

.PHONY: faults
faults: build ## the real program killed, failed, without room and without memory; fuzzing; 15 minutes, root
	scripts/install-faults.sh
	@rm -f $(FAULTS)
	PATH="$$PATH:/usr/sbin:/sbin" MAILPULL_FIGURES=$(FAULTS) MAILPULL_LEVEL2=1 MAILPULL_BINARY=$(CURDIR)/$(BIN) \
		$(GO) test -count=1 -timeout 20m -run '^TestLevel2' ./pkg/faults
	MAILPULL_FIGURES=$(FAULTS) scripts/modules.sh
	MAILPULL_FIGURES=$(FAULTS) scripts/reproducible.sh
	MAILPULL_FIGURES=$(FAULTS) scripts/vulnerabilities.sh
	MAILPULL_FIGURES=$(FAULTS) FUZZTIME=$(FUZZTIME) scripts/fuzz.sh
	$(MAKE) race
	@sort $(FAULTS)

.PHONY: real
real: build servers ## units, alerts, page, container and compression against systemd, Prometheus, a browser and Cyrus; root
	scripts/install-real.sh
	scripts/install-cyrus.sh
	MAILPULL_REAL=1 MAILPULL_CYRUS=$(CURDIR)/bin/cyrus MAILPULL_BINARY=$(CURDIR)/$(BIN) $(GO) test -count=1 -timeout 20m -run '^TestReal' ./pkg/admin ./deploy/... ./cmd/mailpull

.PHONY: unit
unit: ## unit and conformance tests only, in seconds
	$(GO) test -short ./...

.PHONY: e2e
e2e: servers ## the end-to-end tests against a real Dovecot, by name
	$(GO) test -count=1 -run '^TestE2E' -v ./cmd/mailpull

.PHONY: servers
servers: ## install the test servers where they are missing
	scripts/install-dovecot.sh

.PHONY: bench
bench: build servers ## print the figures of the README that compare with nobody
	MAILPULL_BINARY=$(CURDIR)/$(BIN) $(GO) test -p 1 -count=1 -run '^$$' -bench '^BenchmarkFigures' -benchtime 1x -timeout 30m -v ./pkg/bench ./cmd/mailpull

.PHONY: bench-peers
bench-peers: build servers ## mailpull beside other fetchers, into docs/; a part: ONLY="a c" PEERS="mbsync mpop" LIMIT=40s
	scripts/install-peers.sh
	MAILPULL_BINARY=$(CURDIR)/$(BIN) MAILPULL_COMMIT=$(COMMIT) MAILPULL_BENCH_DOCS=$(CURDIR)/docs \
		MAILPULL_BENCH_ONLY="$(ONLY)" MAILPULL_BENCH_PEERS="$(PEERS)" MAILPULL_BENCH_LIMIT="$(LIMIT)" \
		$(GO) test -count=1 -run '^$$' -bench '^BenchmarkPeers' -benchtime 1x -timeout 60m -v ./pkg/bench

.PHONY: profile
profile: build servers ## where the time of a pass goes, for docs/performance.md; wants strace
	@mkdir -p bin/profiles
	MAILPULL_BINARY=$(CURDIR)/$(BIN) MAILPULL_PROFILES=$(CURDIR)/bin/profiles \
		$(GO) test -count=1 -run '^$$' -bench '^BenchmarkProfile' -benchtime 1x -timeout 30m -v ./pkg/bench

.PHONY: microbench
microbench: ## benchmarks of the parts
	$(GO) test -run '^$$' -bench . -benchmem ./pkg/...

.PHONY: fuzz
fuzz: ## each fuzz target for FUZZTIME (30s)
	FUZZTIME=$(FUZZTIME) scripts/fuzz.sh

HOURS ?= 1
.PHONY: soak
soak: ## HOURS=1 of faults of every kind on 50 accounts; as root also a full disk
	MAILPULL_SOAK_HOURS=$(HOURS) $(GO) test -count=1 -timeout 0 -run '^TestLevel3Soak$$' -v ./pkg/faults

.PHONY: hour
hour: servers ## HOURS=1 of a daemon with a real Dovecot, reloads, restarts and kills
	MAILPULL_HOURS=$(HOURS) $(GO) test -count=1 -timeout 0 -run '^TestHour$$' -v ./cmd/mailpull

.PHONY: cover
cover: ## coverage of the packages
	$(GO) test -coverprofile=bin/cover.out ./... && $(GO) tool cover -func=bin/cover.out | tail -n 1

.PHONY: golden
golden: ## rewrite golden files and show what changed
	$(GO) test -short $$(grep -rl --include='*_test.go' '"update", false' cmd pkg | xargs -n 1 dirname | sort -u | sed 's|^|./|') -update
	git diff --stat

##@ Keep tidy

.PHONY: check
check: ## formatting, vet, staticcheck when it is installed
	@unformatted=$$(gofmt -l cmd pkg configs deploy); if [ -n "$$unformatted" ]; then echo "not gofmt-ed: $$unformatted"; exit 1; fi
	$(GO) vet ./...
	@if command -v staticcheck >/dev/null 2>&1; then staticcheck ./...; else echo "SKIPPED: staticcheck is not installed: go install honnef.co/go/tools/cmd/staticcheck@latest"; fi

.PHONY: fmt
fmt: ## format the source
	gofmt -w cmd pkg configs deploy

.PHONY: clean
clean: ## remove what was built
	rm -rf bin

.PHONY: help
help: ## this list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-zA-Z0-9_-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
