# Two commands are all that a newcomer needs: make test-scenarios, make test.
# Both run as root what needs root, by sudo where you are not.

SHELL       := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
GO          ?= go
OUT         ?= out
FOR         ?= 120s
# How many scenarios run side by side; those that judge milliseconds run alone.
J           ?= $(shell nproc)
# Set, a scenario that is skipped fails the suite.
FAIL_ON_SKIP ?=
SUDO        := $(shell [ "$$(id -u)" = 0 ] || echo sudo -E env "PATH=$$PATH")
# Test binaries are built as you and run as root.
AS_ROOT     := $(if $(SUDO),-exec "$(SUDO)")
VERSION     := $(shell git describe --always --dirty 2>/dev/null || echo unversioned)
PREFIX      ?= /usr/local
BASE        ?= main
APIDIFF     ?= $(GO) run golang.org/x/exp/cmd/apidiff@v0.0.0-20261113113407-e3970619a1a4
NFPM        ?= $(GO) run github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.41.1
# A package's version begins with a digit: that of a build without a tag is 0.0.0.
PACKAGE_VERSION := $(or $(shell git describe --tags --dirty 2>/dev/null | sed -n 's/^v\([0-9]\)/\1/p'),0.0.0~$(VERSION))

# Programs that tests run, by Debian package: peers for BFD, a browser for the report, firewalls before clients and nodes.
PEERS := frr:/usr/lib/frr/bfdd bird2:/usr/sbin/bird chromium:/usr/bin/chromium nftables:/usr/sbin/nft arping:/usr/sbin/arping

# What compiles the eBPF programs, by Debian package.
COMPILERS := clang:/usr/bin/clang llvm:/usr/bin/llvm-strip libbpf-dev:/usr/include/bpf/bpf_helpers.h

# Programs that are under test beside the reference node, by Debian package.
SUBJECTS := keepalived:/usr/sbin/keepalived conntrackd:/usr/sbin/conntrackd nftables:/usr/sbin/nft arping:/usr/sbin/arping ndisc6:/usr/bin/ndisc6 \
	ucarp:/usr/sbin/ucarp frr:/usr/lib/frr/vrrpd

.PHONY: help check apidiff setup setup-subjects setup-compilers test test-scenarios test-library test-docs test-stalled test-subjects bench-subjects scenarios regression build lint static mutants property answers bench bench-bfd bench-dataplane bench-defer bench-defer-latency generate doctor install package clean

help: ## this list
	@awk -F ':.*## ' -v out=$(OUT)/times/ '/^[a-z-]+:.*## / {last = ""; if ((getline last < (out $$1)) > 0) last = "; last time here: " last; \
	  printf "  make %-16s %s%s\n", $$1, $$2, last}' $(MAKEFILE_LIST)

# Says what a target will do and how long it takes, before anything that it needs is done.
told-%:
	@awk -F ':.*## ' '$$1 == "$*" {print "make $*: " $$2}' $(MAKEFILE_LIST); mkdir -p $(OUT)/times; date +%s > $(OUT)/times/.$*
	@if [ -s $(OUT)/times/$* ]; then echo "  last time here: $$(< $(OUT)/times/$*)"; fi

# Notes how long a target took that did what it should.
DONE = @echo "$$(( $$(date +%s) - $$(< $(OUT)/times/.$@) )) s, $$(date +%F)" > $(OUT)/times/$@

build: told-build bin/baton ## the baton command

.PHONY: bin/baton
bin/baton:
	@CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-X main.version=$(VERSION)" -o $@ ./cmd/baton

bin/scenarios.test: bin/baton
	@$(GO) test -c -o $@ ./scenarios/suite
	@$(GO) build -o bin/ginkgo github.com/onsi/ginkgo/v2/ginkgo

doctor: told-doctor bin/baton ## what this machine can run, and what it lacks
	@$(SUDO) bin/baton doctor

# Shows each package, what failed with what it said, also beside others, and what was skipped with its reason. Several
# write to one terminal: each writes whole lines.
SUMMARY = awk 'function say(text) {printf "%s", text; fflush()} \
	/^=== / {now = $$3; next} /^alone: / {took = $$2; next} /^ *--- / {if ($$2 != "PASS:") say(said[$$3] $$0 "\n"); delete said[$$3]; next} \
	/^(ok|FAIL)/ && took {say($$1 "\t" $$2 "\t" took "\n"); took = ""; next} /^(ok|FAIL|panic:|signal:)/ {say($$0 "\n"); next} /^(\?|PASS)/ {next} \
	{said[now] = said[now] $$0 "\n"} END {if (said[now] ~ /panic|fatal error/) say(said[now])}'

# Installs the packages of a list of PACKAGE:FILE that are missing, where apt is.
define install
	@missing=""; for p in $(1); do [ -e "$${p#*:}" ] || missing="$$missing $${p%%:*}"; done; \
	[ -n "$$missing" ] || exit 0; \
	command -v apt-get >/dev/null || { echo "no apt-get: tests that need$$missing will be skipped"; exit 0; }; \
	echo "installing$$missing"; mkdir -p $(OUT); \
	{ $(SUDO) apt-get update -q && $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $$missing; } \
	  > $(OUT)/setup.log 2>&1 || { tail -3 $(OUT)/setup.log; echo "not installed: tests that need$$missing will be skipped; see $(OUT)/setup.log"; }
endef

setup: told-setup ## install the programs that tests run (frr, bird2, chromium, nftables, arping), where apt is
	$(call install,$(PEERS))

setup-subjects: told-setup-subjects ## install the other programs that can be under test (keepalived, conntrackd, nftables, ucarp, frr)
	$(call install,$(SUBJECTS))

# Random tests draw the same cases in each run, so that a failure is a change's; make property
# draws others.
export RAPID_SEED ?= 1

# Packages whose tests judge times of nodes, traffic or captures, or make many namespaces, which keeps the kernel from
# bringing up the links of others, run one after the other (.ci/alone). They wait more than they compute. All others run
# beside them and get the processor time that they leave: so do those of BESIDE, which wait for conditions and judge no
# time. Those of WAITING wait for nodes or for other people's programs, and judge few times: they run side by side, and
# the mutants run them in a row of their own.
ALONE  := ^baton/(cmd/baton|impl/daemon(/.*)?|netns(/.*)?|scenarios/(evidence|suite))$$
BESIDE := ^baton/(impl/daemon/(arpwatch|bfdio|checker|config|control|etcd|garp|internal/.*|linkmon|metrics|neigh|notify|pki|poller|preflight|probe|record|transport)|netns/(internal/.*|peers))$$
WAITING := ^baton/(impl/daemon|netns/(interop|subject))$$
# Tests of commands that run pairs.
PAIRS  := ^Test(ALab|AFailedRunKeepsItsPair|AnInterrupt|ARunInBothWorlds|ASubjectIsTried|TheExitCodeOfABench|TheReferenceIsTried)

test: told-test setup bin/baton ## unit, property, eBPF and namespace tests; eight minutes on two cores, and as long again for the first build
	@$(SUDO) bin/baton doctor || true
	@mkdir -p $(OUT)
	@$(MAKE) -s -k -j7 $(PARTS) test-lint || { echo "the whole output is in $(PARTS:%=$(OUT)/%.log)" >&2; exit 1; }
	$(DONE)

PARTS := test-alone test-waiting test-pairs test-commands test-bpf test-beside

# How all parts run tests. lint vets all packages, and nobody debugs these binaries. A busy host may need longer than
# the ten minutes that go test allows.
test_at = nice -n $(1) $(GO) test -count=1 -v -vet=off -timeout 60m -ldflags='-s -w'
TEST = $(call test_at,19)

# One binary at a time, or only beside others that are started with -s, while the next ones are linked.
ONE_BY_ONE = -p 4 -exec "$(SUDO) $(CURDIR)/.ci/alone $(1) $(abspath $(OUT))/alone.lock"

.PHONY: $(PARTS) test-lint
test-alone:
	@$(TEST) $(call ONE_BY_ONE) $$($(GO) list ./... | grep -E '$(ALONE)' | grep -vE '$(BESIDE)|$(WAITING)|/cmd/baton$$') 2>&1 | \
	  tee $(OUT)/$@.log | $(SUMMARY)

test-waiting:
	@$(TEST) $(call ONE_BY_ONE,-s) $$($(GO) list ./... | grep -E '$(WAITING)') 2>&1 | tee $(OUT)/$@.log | $(SUMMARY)

test-pairs:
	@$(TEST) $(call ONE_BY_ONE) -parallel 2 -run '$(PAIRS)' ./cmd/baton 2>&1 | tee $(OUT)/$@.log | $(SUMMARY)

test-commands:
	@$(TEST) $(AS_ROOT) -skip '$(PAIRS)' ./cmd/baton 2>&1 | tee $(OUT)/$@.log | $(SUMMARY)

# It waits for the kernel most of the time, and is the longest.
test-bpf:
	@$(call test_at,5) $(AS_ROOT) ./bpf 2>&1 | tee $(OUT)/$@.log | $(SUMMARY)

test-beside:
	@$(TEST) $(AS_ROOT) $$($(GO) list ./... | grep -vE '$(ALONE)|/bpf$$'; $(GO) list ./... | grep -E '$(BESIDE)') 2>&1 | tee $(OUT)/$@.log | $(SUMMARY)

test-lint:
	@nice -n 19 $(MAKE) -s lint

# The suite on a folder of scenarios, and its report: $(call suite,FOLDER,OUT,FLAGS)
define suite
	@$(SUDO) bin/baton doctor
	@mkdir -p $(2)
	@code=0; $(SUDO) env BATON=$(CURDIR)/bin/baton VERSION=$(VERSION) OUT=$(abspath $(2)) bin/ginkgo run --procs=$(J) \
	  --no-color --succinct --output-dir=$(abspath $(2)) --junit-report=ginkgo.xml --json-report=ginkgo.json bin/scenarios.test -- \
	  -scenarios $(CURDIR)/$(1) $(3) $(if $(FAIL_ON_SKIP),-fail-on-skip) || code=$$?; \
	$(SUDO) bin/baton report $(2) && exit $$code
endef

test-scenarios: told-test-scenarios bin/scenarios.test ## crash, restore, freeze, cut: every scenario for real, with a report; four minutes
	$(call suite,scenarios,$(OUT))
	$(DONE)

test-library: told-test-library bin/scenarios.test ## every scenario of the library in both worlds, with a report (docs/library.md)
	$(call suite,scenarios/library,$(OUT)/library,-library)
	$(DONE)

test-stalled: told-test-stalled bin/baton ## every scenario for real while the host stands still for 80 to 200 ms every few seconds: none may fail (nightly; four minutes)
	@$(GO) build -o bin/stalls ./netns/stalls
	@code=0; $(SUDO) bin/stalls -seed $(or $(SEED),1) bin/baton run --out $(OUT)/stalled scenarios/*.scn || code=$$?; \
	$(SUDO) bin/baton report $(OUT)/stalled; [ $$code = 0 ] || [ $$code = 3 ] # 3: some run proved nothing
	$(DONE)

test-docs: told-test-docs setup-subjects bin/baton ## every command that the documentation shows, also those in namespaces (nightly)
	@mkdir -p $(OUT)
	@$(GO) test $(AS_ROOT) -count=1 -v -timeout 90m -run TestDocs ./cmd/baton -docs all 2>&1 | tee $(OUT)/test-docs.log | $(SUMMARY)
	$(DONE)

test-subjects: told-test-subjects setup-subjects bin/baton ## other people's pairs: their known bugs are caught, their safe configurations pass
	@code=0; $(SUDO) bin/baton run --out $(OUT)/subjects scenarios/subjects/*.scn || code=$$?; \
	$(SUDO) bin/baton report $(OUT)/subjects && exit $$code
	$(DONE)

bench-subjects: told-bench-subjects setup-subjects bin/baton ## the scoreboard: the same scenarios with each subject, REPEAT times; about eight minutes
	@$(SUDO) bin/baton bench-subjects --repeat $(or $(REPEAT),1) --out $(OUT)/scoreboard scenarios/subjects/board/*.scn
	$(DONE)

scenarios: told-scenarios bin/baton ## run the scenarios FILES="a.scn b/*.scn" as CI does; also WORLD, REPEAT, BASELINE, KEEP, EVIDENCE_LIMIT, FAIL_ON_SKIP, OUT
	@BATON=$(CURDIR)/bin/baton OUT="$(OUT)" FILES="$(FILES)" .ci/scenarios

regression: told-regression bin/baton ## ten simulated runs of each scenario, held against reports/baseline
	@rm -rf $(OUT)/regression; mkdir -p $(OUT)
	@bin/baton run --world sim --repeat 10 --out $(OUT)/regression scenarios/*.scn > $(OUT)/regression.log || { cat $(OUT)/regression.log; exit 1; }
	@bin/baton compare reports/baseline $(OUT)/regression
	$(DONE)

setup-compilers: told-setup-compilers ## install what compiles the eBPF programs (clang, llvm, libbpf-dev)
	$(call install,$(COMPILERS))

mutants: told-mutants setup-compilers ## plant each known bug and see which check of the suite finds it; twelve minutes
	$(SUDO) $(GO) run ./sim/mutants/cmd/mutants -json $(OUT)/mutants.json
	$(DONE)

property: told-property ## the random tests on cases that no run had before, CHECKS of each (nightly; ten minutes)
	@mkdir -p $(OUT)
	@RAPID_SEED=0 RAPID_CHECKS=$(or $(CHECKS),1000) $(GO) test $(AS_ROOT) -count=1 -v -p 1 -timeout 60m \
	  $$($(GO) list -f '{{.ImportPath}} {{.TestImports}} {{.XTestImports}}' ./... | sed -n 's/ .*[[ ]pgregory.net\/rapid[] ].*//p') 2>&1 | \
	  tee $(OUT)/property.log | $(SUMMARY)
	$(DONE)

answers: told-answers ## plant known bugs and read whether the first sentence of each report names them (part of make test; ten seconds)
	$(GO) test -count=1 ./reports -run TestTheFirstSentenceNamesThePlantedBug
	$(DONE)

# The packages without IO, whose tests take seconds.
PURE := ./impl ./impl/clock/... ./impl/trace ./impl/flow ./impl/bfd ./impl/ha ./impl/ctsync ./impl/node ./impl/driver ./impl/dataplane/... \
	./scenarios/plan ./scenarios/check ./scenarios/link ./scenarios/lab ./scenarios/fault ./scenarios/metric ./docs/... ./sim/mutants

check: told-check bin/baton ## before each commit: formatting, vet, the pure packages, generated pages, every scenario in virtual time; half a minute
	@test -z "$$(gofmt -l . | tee /dev/stderr)" || { echo "gofmt would change the files above" >&2; exit 1; }
	@$(GO) vet ./...
	@$(GO) test -short $(PURE) 2>&1 | grep -v -e 'no test files' -e '^ok' || [ $${PIPESTATUS[0]} = 0 ]
	@$(GO) test ./impl/daemon/config ./impl/daemon/metrics ./cmd/baton ./scenarios -run 'Reference|DocsLinks|DocsIndex|ExitCodes|HasAnIndex' | grep -v '^ok' || [ $${PIPESTATUS[0]} = 0 ]
	@bin/baton run --world sim --out $(OUT)/check scenarios/*.scn > $(OUT)/check.log || { cat $(OUT)/check.log; exit 1; }
	@tail -1 $(OUT)/check.log
	$(DONE)

apidiff: told-apidiff ## what has changed in the interface of impl/bfd since BASE=main; an incompatible change fails
	@base=$$(mktemp -d); trap 'git worktree remove --force '$$base EXIT; git worktree add -q --detach $$base $(BASE); \
	  (cd $$base && $(APIDIFF) -w $(abspath $(OUT))/bfd.export baton/impl/bfd); \
	  $(APIDIFF) $(OUT)/bfd.export baton/impl/bfd; wrong=$$($(APIDIFF) -incompatible $(OUT)/bfd.export baton/impl/bfd); [ -z "$$wrong" ]

lint: told-lint ## gofmt, go vet, the workflows, and the scripts that they run
	@test -z "$$(gofmt -l . | tee /dev/stderr)" || { echo "gofmt would change the files above" >&2; exit 1; }
	$(GO) vet ./...
	$(GO) tool actionlint .github/workflows/*.yml
	@if command -v shellcheck >/dev/null; then shellcheck .ci/*; else echo "no shellcheck: the scripts in .ci are not checked"; fi
	$(DONE)

static: told-static ## staticcheck, and deadcode: nothing is unused (nightly; a minute and a half)
	$(GO) tool staticcheck ./...
	@dead=$$($(GO) tool deadcode -test ./...) && { [ -z "$$dead" ] || { echo "$$dead" >&2; exit 1; }; }
	$(DONE)

bench: told-bench bin/baton ## the figures the project promises, each beside what it compares to
	$(GO) test $(AS_ROOT) -run '^$$' -bench . -benchmem ./impl/... ./sim/... ./reports/... ./bpf/... ./netns/...
	$(DONE)

bench-defer: told-bench-defer bin/baton ## what sync.defer saves and costs: ten crashes a run under 2,000 connects a second, REPEAT runs with it, of which none may lose a connection, and without; thirty minutes, or four with WORLD=sim
	@rm -rf $(OUT)/defer; code=0; for i in $$(seq $(or $(REPEAT),20)); do for defer in none established; do \
	  $(SUDO) bin/baton run --world $(or $(WORLD),netns) --seed $$i --keep none --set sync.defer=$$defer --out $(OUT)/defer/$$defer/$$i \
	    scenarios/bench/young-flows.scn || [ $$defer = none ] || code=1; done; done; \
	bin/baton compare $(OUT)/defer/none $(OUT)/defer/established || [ $$? != 2 ] || code=2; exit $$code
	$(DONE)

bench-defer-latency: told-bench-defer-latency bin/baton ## what sync.defer adds to a connection at 50, 500 and 1,500 a second, stage by stage, beside a TLS round trip; two minutes, FOR=10s each
	@$(GO) build -o bin/deferbench ./netns/deferbench/cmd/deferbench
	@$(SUDO) bin/deferbench -for $(if $(filter file,$(origin FOR)),10s,$(FOR))
	$(DONE)

bench-bfd: told-bench-bfd bin/baton ## how punctual the nodes' BFD is beside FRR's, idle, loaded and under a flood of Polls; FOR=120s each
	@$(GO) build -o bin/bfdbench ./netns/bfdbench/cmd/bfdbench
	@$(SUDO) bin/bfdbench -for $(FOR)
	$(DONE)

bench-dataplane: told-bench-dataplane setup-subjects ## what a packet costs the dataplane, beside nftables' NAT, plain forwarding and a bare redirect
	@$(GO) build -o bin/dpbench ./bpf/dpbench/cmd/dpbench
	@$(SUDO) bin/dpbench
	$(DONE)

generate: told-generate setup-compilers ## rebuild the eBPF objects and the report page (needs node, npm)
	$(GO) generate ./bpf/... ./netns/... ./reports/page
	$(DONE)

install: told-install bin/baton ## the command, its unit, manual pages, completion and documentation (DESTDIR, PREFIX)
	@install -D -m 0755 bin/baton $(DESTDIR)$(PREFIX)/bin/baton
	@sed 's,^ExecStart=/usr/bin/,ExecStart=$(PREFIX)/bin/,' docs/operations/baton.service | install -D -m 0644 /dev/stdin $(DESTDIR)$(PREFIX)/lib/systemd/system/baton.service
	@mkdir -p $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/doc/baton
	@bin/baton man $(DESTDIR)$(PREFIX)/share/man/man1
	@bin/baton completion bash | install -D -m 0644 /dev/stdin $(DESTDIR)$(PREFIX)/share/bash-completion/completions/baton
	@cp -r LICENSE docs/*.md docs/examples docs/operations/alerts.yaml docs/operations/dashboard.json $(DESTDIR)$(PREFIX)/share/doc/baton/
	@echo "installed in $(DESTDIR)$(PREFIX); docs/operations.md goes on"

package: told-package ## a .deb and an .rpm in OUT, by nfpm from the module proxy
	@rm -rf $(OUT)/install && $(MAKE) -s install DESTDIR=$(OUT)/install PREFIX=/usr
	@for format in deb rpm; do ARCH=$$($(GO) env GOARCH) VERSION=$(PACKAGE_VERSION) $(NFPM) package --config docs/operations/nfpm.yaml --packager $$format --target $(OUT)/; done
	$(DONE)

clean: ## remove what the above has built
	rm -rf bin $(OUT)
