# Everything a developer runs. "make" alone builds the proxy; "make help" lists the rest.

VERSION   ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
BINARY    := bin/redis-cluster-proxy
GOLANGCI  ?= go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
# Two packages at a time, on however many cores: they wait for their real clusters for much of the time, but a failover, say,
# is late if a dozen of those share a machine.
TESTFLAGS ?= -race -p 2 -timeout 10m
GOTEST    ?= go test
# How often each target runs. A time (1m) does, too, but go test now and then calls its very end a failure: "context
# deadline exceeded" (golang.org/issue/75804).
FUZZTIME  ?= 10000x
# The version is stamped above, and asking git fails in a tree that belongs to another user, as CI's often does.
export GOFLAGS := $(GOFLAGS) -buildvcs=false
DISTRIBUTED := python3-rq python3-celery python3-redis ruby-sidekiq ruby-redis php-cli php-redis libhiredis-dev
SUDO      := $(shell [ "$$(id -u)" = 0 ] || echo sudo -n)

.PHONY: all help test lint fuzz bench demo generate clean redis compiler clients node distributed certificates

all: ## build bin/redis-cluster-proxy: static, version stamped
	CGO_ENABLED=0 go build -trimpath -ldflags "-X main.version=$(VERSION)" -o $(BINARY) ./cmd/redis-cluster-proxy

help: ## list what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "%-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

test: certificates redis compiler clients ## run all tests under the race detector (TESTFLAGS), installing what they need
	go build -race ./...
	$(GOTEST) $(TESTFLAGS) ./...
	$(GOTEST) $(TESTFLAGS) -tags poller ./proxy ./internal/e2e
	$(GOTEST) -run Alloc ./... # which are exact without the race detector only

lint: ## gofmt, go vet and golangci-lint (GOLANGCI)
	@files=$$(gofmt -l .) && if [ -n "$$files" ]; then echo "not formatted by gofmt:"; echo "$$files"; exit 1; fi
	go vet ./...
	$(GOLANGCI) run

fuzz: ## run every fuzz target for FUZZTIME
	@listed=$$(go test -list '^Fuzz' ./...) || { echo "$$listed"; exit 1; }; \
	targets=$$(echo "$$listed" | awk '/^Fuzz/ { f[n++] = $$1 } /^ok/ { for (i = 0; i < n; i++) print $$2 ":" f[i]; n = 0 }'); \
	[ -n "$$targets" ] || { echo "no fuzz targets found"; exit 1; }; \
	for t in $$targets; do \
		echo "== $$t"; go test -run '^$$' -fuzz "^$${t##*:}\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 100x "$${t%:*}" || exit 1; \
	done

bench: certificates all redis ## compare with other proxies: BENCH_TARGETS="ours=127.0.0.1:8088 other=...", BENCHFLAGS=-help
	go build -o bin/bench ./internal/bench
	bin/bench $(BENCHFLAGS)

demo: certificates all redis ## run a real cluster with the proxy in front until Ctrl-C
	@go build -o bin/demo ./internal/demo
	@exec bin/demo $(DEMOFLAGS)

generate: ## make generated sources anew
	go generate ./...

clean: ## remove what was built
	rm -rf bin

certificates: # go downloads modules over https
	@! command -v apt-get >/dev/null || [ -e /etc/ssl/certs/ca-certificates.crt ] || [ -n "$$SSL_CERT_FILE" ] && exit 0; $(call install,certificates,ca-certificates)

redis: # redis-server, redis-cli and redis-benchmark from the distribution
	@$(call install,redis-server redis-cli redis-benchmark,redis-server redis-tools)

compiler: # the race detector needs cgo
	@$(call install,gcc,gcc libc6-dev)

clients: distributed bin/clients/node_modules/.package-lock.json # the libraries that the tests of internal/clients run

bin/clients/node_modules/.package-lock.json: internal/clients/testdata/node/package.json internal/clients/testdata/node/package-lock.json | node
	@mkdir -p bin/clients && cp $^ bin/clients && npm ci --prefix bin/clients --ignore-scripts --no-audit --no-fund && touch $@

node:
	@$(call install,node npm,nodejs npm)

distributed: # what the distribution has for its own interpreters, of which python3 need not be the first in the PATH
	@for p in python3 /usr/bin/python3; do $$p -c 'import rq, celery, redis' 2>/dev/null && break; done && \
	ruby -e 'require "sidekiq"; require "redis"' 2>/dev/null && php -r 'exit(class_exists("Redis") ? 0 : 1);' 2>/dev/null && \
	[ -e /usr/include/hiredis/hiredis.h ] && exit 0; $(call install,distributed,$(DISTRIBUTED))

# install PROGRAMS,PACKAGES: nothing happens if all the programs are there; nothing is asked.
define install
	missing=; for p in $(1); do command -v $$p >/dev/null || missing="$$missing $$p"; done; \
	[ -z "$$missing" ] && exit 0; \
	command -v apt-get >/dev/null || { echo "missing:$$missing. There is no apt-get here: please install them ($(2))."; exit 1; }; \
	if [ -n "$(SUDO)" ] && ! $(SUDO) true 2>/dev/null; then \
		echo "missing:$$missing. Please run as root, or allow sudo: apt-get install $(2)"; exit 1; fi; \
	$(SUDO) apt-get update && $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $(2)
endef
