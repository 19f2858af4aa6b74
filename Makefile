# Everything a contributor, CI or a newcomer runs. `make` alone lists it.
# No C compiler is needed: one setting of cgo also lets every build share one cache.
export CGO_ENABLED := 0
export GOTOOLCHAIN ?= local
# Karmada's own builds carry this tag (test/lab/binaries/go.go says why); the same for all keeps one cache.
export GOFLAGS := $(GOFLAGS) -tags=kubernetes_protomessage_one_more_release

BIN       := bin
ARTIFACTS := _artifacts
TOOLS     := go tool -modfile=tools/go.mod

# make images and make release: every program but the lab, for these platforms, named and dated by the commit.
PROGRAMS  := $(filter-out argosy-lab,$(notdir $(wildcard cmd/argosy*)))
PLATFORMS := linux/amd64 linux/arm64
VERSION   ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
CREATED   = $(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct))
LINK      := -s -w -X github.com/argosy-dev/argosy/internal/program.version=$(VERSION)
comma     := ,
space     := $(subst ,, )

# make generate: the kinds, and the folders whose rights argosy-controller-manager needs.
API         := ./api/...
CONTROLLERS := $(wildcard cronhpa fedhpa scalein migration/controller migration/whitelist release reschedule)

# go test, with the slowest tests told in the end. What go vet says is make verify's to say, of all packages and with more analyzers.
# Programs collect their garbage half as often as by themselves: a federation's start takes a fifth less of the processors, and a seventh more
# memory.
TIMED := GOGC=$${GOGC:-200} go run ./test/timings -vet=off

.DEFAULT_GOAL := help

##@ Use

.PHONY: help
help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: build ## build all, start a federation on this machine and play the story
	@$(BIN)/argosy-lab demo

.PHONY: down
down: lab-down ## stop the federation the demo left running

# As in test/lab/binaries/go.go, which compiles the other programs of the demo.
COMPILE := GOGC=$${GOGC:-400} go build

.PHONY: build
build: go-version ## build Argosy's binaries into bin/
	@mkdir -p $(BIN)
	@echo "building Argosy into $(BIN)/ (the first time on a machine takes minutes)"
	@$(COMPILE) -o $(BIN)/ ./cmd/...

.PHONY: lab-up
lab-up: build ## start the federation alone
	@$(BIN)/argosy-lab up

.PHONY: lab-down
lab-down: ## stop it and remove its state
	@if [ -x $(BIN)/argosy-lab ]; then $(BIN)/argosy-lab down; fi

.PHONY: recording
recording: build ## play the first tutorial on a federation of its own, and record it: docs/recordings
	@$(BIN)/argosy-lab up && { eval "$$($(BIN)/argosy-lab env)" && go run ./test/recording; status=$$?; $(BIN)/argosy-lab down; exit $$status; }

.PHONY: pictures
pictures: ## draw the pictures of the docs from their texts, for light and for dark pages: docs/pictures
	cd tools/pictures && go run . -folder $(CURDIR)/docs/pictures

##@ Test

.PHONY: test
test: ## all tests, with the time each stage took
	@rm -f $(ARTIFACTS)/retries.txt
	@for stage in test-unit test-tools test-integration test-e2e; do \
		start=$$(date +%s); $(MAKE) --no-print-directory $$stage || exit 1; \
		echo "== $$stage: $$(($$(date +%s) - start)) s"; \
	done
	@if [ -s $(ARTIFACTS)/retries.txt ]; then echo "== asked again, since the machine did not answer:"; cat $(ARTIFACTS)/retries.txt; fi

.PHONY: test-unit
test-unit: go-version ## pure rules and packages: no cluster
	$(TIMED) $$(go list ./... | grep -v -e /test/integration -e /test/e2e -e /test/bench -e /test/compat -e /test/machines)

# The packages that take longest come first: begun last, one of them would be alone on the machine in the end.
SERVERS_LONG := vm accuracy install release fedhpa component interpreter estimator

.PHONY: test-integration
test-integration: build ## controllers and CRDs against a real kube-apiserver
	$(TIMED) -count=1 -p=2 -parallel=6 -timeout=60m $(addprefix ./test/integration/,$(SERVERS_LONG)) ./test/integration/...

# A federation takes some 60 inotify instances (Kubernetes watches its certificates), and many systems give a user 128.
FEDERATIONS := $(shell [ "$$(cat /proc/sys/fs/inotify/max_user_instances 2>/dev/null || echo 0)" -ge 256 ] && echo 2 || echo 1)

# The longest first here too, and short ones last, so that no federation is without another beside it for long.
STORIES_LONG := . migration install reschedule tutorials nemesis

.PHONY: test-e2e
test-e2e: build ## stories on real federations, two at a time where fs.inotify.max_user_instances is 256 or more
	$(TIMED) -count=1 -p=$(FEDERATIONS) -timeout=120m $(addprefix ./test/e2e/,$(STORIES_LONG)) ./test/e2e/...

# test-compat: which Karmadas, the oldest first, which scenes of the demo and which stories of test/e2e (empty: all; none: none).
KARMADA ?= 1.16,1.17,1.18
SCENE   ?=
STORIES ?=
# Of the members: 1.33, or empty for the base's.
KUBERNETES ?=
# Of the stories, only tests that match this: a long story is played in parts.
TESTS ?=

.PHONY: test-compat
test-compat: build ## the demo's scenes, and the stories of migration and FedHPA, on every Karmada that is served: the table of docs/upgrade.md
	go test -v -count=1 -timeout=120m ./test/compat -args -karmada=$(KARMADA) -kubernetes=$(KUBERNETES) -scene=$(SCENE) -stories=$(STORIES) -tests='$(TESTS)'

# nemesis: minutes of load, the seed of operations and faults, and which nemeses (empty: all).
MINUTES ?= 2
SEED    ?= $(shell date +%s)
ONLY    ?=

.PHONY: nemesis
nemesis: build ## a federation under generated work and hostile surroundings, judged; docs/nemesis.md
	go test -v -count=1 -timeout=$$(awk 'BEGIN {printf "%d", $(MINUTES) + 30}')m ./test/e2e/nemesis -args -minutes=$(MINUTES) -seed=$(SEED) -only=$(ONLY) -demand=

# nemesis-cover: how many runs of the covering design to play now, those first that were not played or not clean.
RUNS ?= 1

.PHONY: nemesis-cover
nemesis-cover: MINUTES = 8
nemesis-cover: SEED = 1
nemesis-cover: build ## runs in which every two nemeses meet, five at a time; RUNS= says how many now, the same command again goes on
	go test -v -count=1 -timeout=$$(awk 'BEGIN {printf "%d", $(RUNS) * ($(MINUTES) + 30)}')m ./test/e2e/nemesis \
		-args -design=$(ARTIFACTS)/nemesis-cover -runs=$(RUNS) -minutes=$(MINUTES) -seed=$(SEED)

# Debian's packages are unpacked into the user's cache, some 470 MB, and nothing is installed; what cannot be had fails, and is named.
.PHONY: test-machines
test-machines: go-version ## stories with HAProxy, libvirtd, machines that QEMU emulates, and apt; on Debian or Ubuntu
	$(TIMED) -count=1 -p=1 -timeout=30m ./test/machines/daemon ./test/machines ./test/machines/guests ./test/machines/domains ./test/machines/delivery

.PHONY: bench
bench: build ## measure beside the peer: ours, the peer's, the ratio
	go test -v -count=1 -p=1 -timeout=120m ./test/bench/... -args -bench

.PHONY: test-tools
test-tools: ## the modules of their own: images, chart, alerts and dashboards
	cd tools/images && go test ./...
	cd tools/chart && go test ./...
	cd tools/release && go test ./...
	cd test/monitoring && go test ./...

# What has goroutines; the pure packages have none, and their long sweeps would take ten times their time.
CONCURRENT := ./cmd/... ./cronhpa ./estimator/... ./fedhpa ./internal/... ./interpreter/hook ./member/component ./member/vm/... \
	./migration/admission ./migration/controller ./migration/iskarmada ./migration/whitelist ./release ./reschedule ./scalein
# The race detector is written in C: only these targets need a compiler of it.
RACE := CGO_ENABLED=1 go test -race

.PHONY: c-compiler
c-compiler:
	@cc=$$(go env CC); command -v "$${cc%% *}" >/dev/null || { \
	echo "error: the race detector needs a C compiler, and \"$$cc\" is not there: install gcc, or name another with CC=" >&2; exit 1; }

.PHONY: test-race
test-race: test-race-unit test-race-integration ## unit and integration tests under the race detector; needs a C compiler

.PHONY: test-race-unit
test-race-unit: go-version c-compiler
	$(RACE) $(CONCURRENT)

# Which integration tests: CI runs those of the controllers that act by themselves, upon clocks and upon members.
RACED ?= ./test/integration/...

.PHONY: test-race-integration
test-race-integration: build c-compiler
	$(RACE) -count=1 -p=2 -parallel=6 -timeout=90m $(RACED)

# How long each fuzz target looks for inputs that break it, and which: all, or those whose line "folder name" has this in it.
FUZZTIME ?= 1m
FUZZ     ?= Fuzz

.PHONY: test-fuzz
test-fuzz: go-version ## each fuzz target for FUZZTIME (1m)
	@grep -rn --include='*_test.go' '^func Fuzz' . | sed -E 's/^(.*)\/[^/]*_test\.go:[0-9]+:func (Fuzz[A-Za-z0-9_]*).*/\1 \2/' | grep -E '$(FUZZ)' | sort | \
	while read -r package target; do \
		go test "$$package" -run='^$$' -fuzz="^$$target$$" -fuzztime=$(FUZZTIME) </dev/null || exit 1; \
	done

##@ Release

.PHONY: images
images: go-version ## OCI images with bills of materials into _artifacts/images, without a container engine
	@for p in $(PLATFORMS); do os=$${p%/*} arch=$${p#*/}; mkdir -p $(ARTIFACTS)/bin/$$os-$$arch; \
		GOOS=$$os GOARCH=$$arch $(COMPILE) -trimpath -buildvcs=false -ldflags='$(LINK)' \
			-o $(ARTIFACTS)/bin/$$os-$$arch/ $(addprefix ./cmd/,$(PROGRAMS)) || exit 1; \
	done
	cd tools/images && go run . -bin $(CURDIR)/$(ARTIFACTS)/bin -out $(CURDIR)/$(ARTIFACTS)/images \
		-programs "$(subst $(space),$(comma),$(PROGRAMS))" -platforms "$(subst $(space),$(comma),$(PLATFORMS))" \
		-version "$(VERSION)" -revision "$$(git rev-parse HEAD)" -created "$(CREATED)"

.PHONY: images-check
images-check: images ## build the commit's images again in another folder, and compare every digest
	@copy=$$(mktemp -d) && trap "rm -rf $$copy" EXIT && git clone -q . $$copy && $(MAKE) --no-print-directory -C $$copy images VERSION="$(VERSION)" >/dev/null && \
		diff $(ARTIFACTS)/images/digests.txt $$copy/$(ARTIFACTS)/images/digests.txt && echo "the same digests, twice"

.PHONY: chart
chart: ## the Helm charts, checked and packed, into _artifacts/chart; VERSION=v1.2.3
	@mkdir -p $(ARTIFACTS) && echo 'image: {repository: registry.example/argosy}' > $(ARTIFACTS)/values.yaml
	@for chart in chart member; do (cd tools/chart && \
		go run . lint -chart $(CURDIR)/deploy/$$chart -values $(CURDIR)/$(ARTIFACTS)/values.yaml && \
		go run . package -chart $(CURDIR)/deploy/$$chart -out $(CURDIR)/$(ARTIFACTS)/chart -created "$(CREATED)" $(if $(filter v%,$(VERSION)),-version $(VERSION))) || exit 1; \
	done

# make release: argosyctl for people's machines, and argosy-estimator, which its fit asks. A version is what a tag says, and RELEASES is where its archives will be served.
CLIENT_PLATFORMS := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64
RELEASES         ?= https://github.com/argosy-dev/argosy/releases/download

.PHONY: release
release: images chart ## all a release consists of: images, charts, archives for people's machines, checksums and krew manifest; VERSION=v1.2.3
	@for p in $(CLIENT_PLATFORMS); do os=$${p%/*} arch=$${p#*/}; mkdir -p $(ARTIFACTS)/bin/$$os-$$arch; \
		GOOS=$$os GOARCH=$$arch $(COMPILE) -trimpath -buildvcs=false -ldflags='$(LINK)' -o $(ARTIFACTS)/bin/$$os-$$arch/ ./cmd/argosyctl ./cmd/argosy-estimator || exit 1; \
	done
	cd tools/release && go run . -bin $(CURDIR)/$(ARTIFACTS)/bin -out $(CURDIR)/$(ARTIFACTS)/release -root $(CURDIR) -url $(RELEASES) \
		-charts $(CURDIR)/$(ARTIFACTS)/chart -images $(CURDIR)/$(ARTIFACTS)/images \
		-version "$(VERSION)" -platforms "$(subst $(space),$(comma),$(CLIENT_PLATFORMS))" -created "$(CREATED)"

.PHONY: release-check
release-check: release ## build the commit's release again in another folder, and compare every checksum; VERSION=v1.2.3
	@copy=$$(mktemp -d) && trap "rm -rf $$copy" EXIT && git clone -q . $$copy && $(MAKE) --no-print-directory -C $$copy release VERSION="$(VERSION)" >/dev/null && \
		diff $(ARTIFACTS)/release/checksums.txt $$copy/$(ARTIFACTS)/release/checksums.txt && echo "the same checksums, twice"

##@ Contribute

.PHONY: generate
generate: ## CRDs, deep copies, RBAC and reference pages from the code
	$(TOOLS) controller-gen object:headerFile=/dev/null paths=$(API)
	$(TOOLS) controller-gen crd:allowDangerousTypes=false paths=$(API) output:crd:dir=deploy/crds
	$(TOOLS) controller-gen rbac:roleName=argosy-webhook paths=./interpreter/... paths=./migration/iskarmada paths=./internal/scrape paths=./cmd/argosy-webhook output:rbac:dir=deploy/webhook
	$(TOOLS) controller-gen rbac:roleName=argosy-controller-manager $(patsubst %,paths=./%/...,$(CONTROLLERS)) \
		paths=./internal/scrape paths=./cmd/argosy-controller-manager output:rbac:dir=deploy/controller-manager
	$(TOOLS) controller-gen rbac:roleName=argosy-member-manager paths=./member/... paths=./internal/scrape paths=./cmd/argosy-member-manager output:rbac:dir=deploy/member-manager
	$(TOOLS) controller-gen rbac:roleName=argosy-estimator paths=./estimator/... paths=./internal/scrape output:rbac:dir=deploy/estimator
	$(TOOLS) controller-gen rbac:roleName=argosy-renew paths=./internal/install output:rbac:dir=deploy/renew
	cd tools/proto && go run . -root $(CURDIR) estimator/wire/pb/request.proto
	go run ./docs/generate
	$(TOOLS) crd-ref-docs --log-level=ERROR --source-path=api --config=docs/generate/api.yaml --renderer=markdown --output-path=docs/reference/api.md
	go test ./cmd/argosyctl -run '^TestReference$$' -update
	cd tools/chart && for chart in chart member; do go run . readme -chart $(CURDIR)/deploy/$$chart || exit 1; done

.PHONY: lint
lint: go-version ## vet, formatting, import rules
	$(TOOLS) golangci-lint run

.PHONY: verify
verify: generate lint ## what CI checks: generated code is committed, go.mod tidy, lint clean
	go mod tidy -diff
	@! git grep -nE '^(<<<<<<<|>>>>>>>) ' || (echo "marks of a merge were committed: choose, and take them out" && exit 1)
	@git diff --exit-code || (echo "generated files differ: run 'make generate' and commit" && exit 1)
	@test -z "$$(git status --porcelain)" || (git status --short && echo "the tree is not clean after generate" && exit 1)

.PHONY: go-version
go-version:
	@want=$$(awk '$$1 == "go" {print $$2}' go.mod); have=$$(go env GOVERSION 2>/dev/null | sed 's/^go//'); \
	if [ -z "$$have" ]; then echo "error: go is not installed: go $$want or newer is needed" >&2; exit 1; fi; \
	if [ "$$(printf '%s\n%s\n' "$$want" "$$have" | sort -V | head -1)" != "$$want" ]; then \
	echo "error: go $$have is too old: go $$want or newer is needed (go.mod)" >&2; exit 1; fi
