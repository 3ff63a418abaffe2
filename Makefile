# Every command a developer or CI types. `make help` lists them.

GO          ?= go
BIN         := bin
FUZZTIME    ?= 30s
SOAKTIME    ?= 10m

# The build cache holds for each checkout what it holds for one.
export GOFLAGS := -trimpath $(GOFLAGS)

.PHONY: all build man run demo test test-one-cpu test-race race-bench fuzz api-fuzz bench bench-smoke bench-results profile-storm lint files metrics configuration monitoring licences sbom vulncheck browser pictures interop interop-long interop-ecosystem trials soak clean help

all: test lint ## test and lint

build: ## build the programs into bin/, static
	CGO_ENABLED=0 $(GO) build -trimpath -o $(BIN)/ ./cmd/...

man: ## write the man pages of nsctl and nsbench into bin/man
	mkdir -p $(BIN)/man && $(GO) run ./cmd/nsctl man $(BIN)/man && $(GO) run ./cmd/nsbench man $(BIN)/man

run: build ## start a name server on port 9876
	./$(BIN)/namesrv

demo: build ## five minutes of a server and a simulated cluster, to look at in a browser
	./$(BIN)/nsbench demo

# Packages without a goroutine, a lock or an atomic, in which the race detector
# has nothing to find: TestSerialPackages in docs makes sure of that.
SERIAL := bench/report docs internal/archive

# Tools of people, whose tests say the same on one CPU and on two. They run with the race
# detector only.
ANYWHERE := bench/capacity bench/capture bench/compare bench/export bench/group bench/launch bench/live bench/search internal/meter internal/nsdiff

# The load generator, whose tests wait for a minute or two, and take minutes more with the race
# detector: only `make race-bench` takes them there.
LOADING := bench cmd/nsbench
RACING := $(foreach p,$(SERIAL) $(LOADING),-e gonamesrv/$(p))
ON_ONE := $(foreach p,$(ANYWHERE),-e gonamesrv/$(p))

# What takes longest begins first: nothing shall run alone in the end.
LONGEST := ./internal/namesrv ./engine ./route ./internal/admin ./codec ./internal/nsctl

test: ## unit and socket tests, on one CPU and with the race detector, side by side: most of them wait
	@$(MAKE) --no-print-directory -j2 test-one-cpu test-race

# The tests have one CPU each; the compiler, and packages among themselves, all. Four
# packages at a time, since most of them wait more than they compute. What vet has to say it
# says to lint, which asks more of it.
test-one-cpu:
	$(GO) test -count=1 -timeout 30m -p 4 -vet=off -exec 'env GOMAXPROCS=1' $(addprefix ./,$(LOADING)) $(LONGEST) $$($(GO) list ./... | grep -vxF $(ON_ONE))

# By default each program with the race detector sleeps a second before it exits, and some
# tests start many.
test-race:
	GORACE=atexit_sleep_ms=0 $(GO) test -count=1 -timeout 30m -p 4 -race -vet=off $(LONGEST) $$($(GO) list ./... | grep -vxF $(RACING))

race-bench: ## the load generator's tests with the race detector, which make test leaves out
	GORACE=atexit_sleep_ms=0 $(GO) test -count=1 -timeout 30m -race $(addprefix ./,$(LOADING))

fuzz: ## run each fuzzer for FUZZTIME (30s)
	./scripts/fuzz.sh $(FUZZTIME)

api-fuzz: ## what openapi.json says of the read API, against a server, half a minute (needs Python 3 with venv, and PyPI)
	./scripts/api-fuzz.sh

bench: ## run the benchmarks
	$(GO) test -run='^$$' -bench=. -benchmem ./...

bench-smoke: ## every scenario of nsbench, small, against our server: fails on wrong replies, not on times
	./scripts/bench-smoke.sh

bench-results: ## hours: all figures of ours, Java's and a server that only echoes, into bench/results/
	./scripts/bench-results.sh

.PHONY: capacity capacity-document
capacity: ## what one server carries, size by size, into bench/results/ (a quarter of an hour, 4 GB)
	./scripts/capacity.sh

capacity-document: ## write tables and charts of docs/CAPACITY.md anew from the newest of these results
	$(GO) test -count=1 -run TestDocument ./bench/capacity -update-capacity

profile-storm: ## a CPU profile of our server under a storm, into profiles/
	./scripts/profile-storm.sh

lint: ## vet, staticcheck, gofumpt, tidy modules
	./scripts/lint.sh

files: ## write docs/FILES.md, the map of all files, anew; new files get a row without purpose
	$(GO) test -count=1 -run TestFileMap ./docs -update

metrics: ## write docs/METRICS.md, the list of all metrics, anew
	$(GO) test -count=1 -run TestMetricsFile ./internal/admin -update

configuration: ## write what the code knows of keys into docs/CONFIGURATION.md anew
	$(GO) test -count=1 -run TestConfigurationFile ./internal/namesrv -update-configuration

monitoring: ## rules and board against a Prometheus that scrapes a server under load (needs Debian's package prometheus)
	$(GO) test -tags monitoring -count=1 -vet=off -v -timeout 5m -run TestMonitoring ./internal/admin

browser: ## the console in a real browser (needs Debian's package chromium, and npm)
	$(GO) -C internal/browser test -tags browser -count=1 -vet=off -v -timeout 20m -parallel 4 .

pictures: ## write docs/images, the pictures of the console, anew (needs what browser needs)
	GONAMESRV_DOC_PICTURES=$(CURDIR)/docs/images $(GO) -C internal/browser test -tags browser -count=1 -v -run TestPictures .

licences: ## write docs/LICENCES.md, under which licence each module is, anew
	./scripts/licences.sh

sbom: ## what each program is made of, in CycloneDX's form, into bin/
	./scripts/sbom.sh

vulncheck: ## known vulnerabilities in what the programs call, by Go's own data (25 MB of the module proxy, once)
	./scripts/vulncheck.sh

.PHONY: install release packages-test packages-check packages-smoke kubernetes
install: build ## install below PREFIX (/usr/local), with SYSCONFDIR (/etc); DESTDIR comes before both
	DESTDIR="$(DESTDIR)" PREFIX="$(or $(PREFIX),/usr/local)" SYSCONFDIR="$(or $(SYSCONFDIR),/etc)" ./scripts/install.sh

release: ## archives, packages, images, SBOMs and their sums into dist/, the same twice
	./scripts/release.sh dist

packages-test: ## install, upgrade and purge the packages of dist/ in a bare Debian (needs root, debootstrap)
	./scripts/packages-test.sh dist

packages-check: ## make a release twice and try all that is in it (needs root, debootstrap, systemd)
	./scripts/packages-check.sh dist

packages-smoke: ## packages-check for Linux only, and the second time for one processor
	RELEASE_TARGETS="linux/amd64 linux/arm64" AGAIN_TARGETS="linux/$$($(GO) env GOHOSTARCH)" ./scripts/packages-check.sh $(BIN)/release

kubernetes: ## write deploy/kubernetes, the manifests without Helm, anew
	$(GO) -C internal/chart test -count=1 -run TestManifests . -update

# Tests that start JVMs for minutes: who may do what, mqadmin's own text, comparing servers,
# repeated registrations.
LONG := ^(TestAccess|TestSigned|TestAttackJava|TestNsctlAliases|TestNsctlDiff|TestPeers|TestMigrating|TestRepeatedRegistration)$$

# Clients of others, which come from Maven Central, PyPI and npm.
ECOSYSTEM := ^TestEcosystem$$

interop: ## real brokers and clients, Java and Go, against our server (needs JDK 17, Maven, Node)
	$(GO) -C internal/interop test -tags interop -count=1 -vet=off -v -timeout 40m -parallel 3 -skip '$(LONG)|$(ECOSYSTEM)' .

interop-long: ## what interop leaves out: access by address and key, a real attack, mqadmin's text (a quarter of an hour; needs root for namespaces)
	$(GO) -C internal/interop test -tags interop -count=1 -v -timeout 60m -parallel 3 -run '$(LONG)' .

interop-ecosystem: ## the Spring Boot starter, the C++ client, and gRPC clients for Python and Node through a proxy (needs Python 3 with venv, too)
	$(GO) -C internal/interop test -tags interop -count=1 -v -timeout 20m -run '$(ECOSYSTEM)' .

trials: ## ours beside Java while servers, brokers and networks fail: a table (15 minutes; needs root for namespaces, libfaketime for the clock)
	GONAMESRV_TRIALS=1 GONAMESRV_INTEROP_RACE=0 $(GO) -C internal/interop test -tags interop -count=1 -v -timeout 60m -parallel 8 -run TestTrial .

soak: ## everything at once for SOAKTIME (10m): nothing may leak, no route may be lost
	$(GO) test -tags soak -count=1 -vet=off -v -timeout 0 ./internal/soak/ -args -time $(SOAKTIME)

clean: ## remove what build made
	rm -rf $(BIN) dist

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 15
