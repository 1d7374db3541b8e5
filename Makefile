# What a person does in this repository. `make help` lists it.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

GO ?= go
TOOL := $(GO) tool -modfile=$(CURDIR)/hack/tools/go.mod
CONTROLLER_GEN := $(TOOL) controller-gen
LINT := $(TOOL) golangci-lint-kube-api-linter

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
BUILD_FLAGS := -trimpath -ldflags "-s -w -X main.version=$(VERSION)"

# Where `make run` receives deliveries.
RECEIVER_BIND_ADDRESS ?= 127.0.0.1:8090
# How long `make fuzz` spends on each target.
FUZZTIME ?= 30s
# What `make test` gives go test besides its own flags, such as TESTFLAGS="-run TestReceiver -v".
TESTFLAGS ?=
# What `make bench` gives the benchmark.
BENCHFLAGS ?=
# The packages that `make test` tests.
PACKAGES ?= ./...

##@ See it

.PHONY: help
help: ## Show this help.
	@awk 'BEGIN {FS = ":.*##"; printf "Usage: make \033[36m<target>\033[0m\n"} \
		/^[a-zA-Z_-]+:.*##/ { printf "  \033[36m%-12s\033[0m %s\n", $$1, $$2 } \
		/^##@/ { printf "\n\033[1m%s\033[0m\n", substr($$0, 5) }' $(MAKEFILE_LIST)

.PHONY: demo
demo: kubernetes build nats ## Tell the story on a real control plane: signed deliveries become tenants. Ends by itself.
	@$(GO) build -trimpath -o bin/hack-demo ./hack/demo
	@exec bin/hack-demo

.PHONY: run
run: kubernetes build ## Run a control plane and the operator until Ctrl-C; CLERK_SECRET_KEY=sk_… hears a Clerk application of yours.
	@$(GO) build -trimpath -o bin/hack-run ./hack/run
	@RECEIVER_BIND_ADDRESS=$(RECEIVER_BIND_ADDRESS) exec bin/hack-run

##@ Build

.PHONY: build
build: ## Build the operator: bin/clerk-operator.
	@CGO_ENABLED=0 $(GO) build $(BUILD_FLAGS) -o bin/clerk-operator ./cmd

# What plugins are built for in a release.
PLUGIN_PLATFORMS ?= linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64
PLUGIN_DIR ?= bin/plugin

# Where the release is.
REPOSITORY ?= clerk-operator/clerk-operator

.PHONY: plugin
plugin: ## Build the plugin of kubectl: bin/kubectl-clerk. Put it on the PATH, and `kubectl clerk` runs it.
	@CGO_ENABLED=0 $(GO) build $(BUILD_FLAGS) -o bin/kubectl-clerk ./cmd/kubectl-clerk

.PHONY: plugin-archives
plugin-archives: ## Build the plugin for all PLUGIN_PLATFORMS: bin/plugin/kubectl-clerk_<os>_<arch>.tar.gz, and their checksums.
	@rm -rf "$(PLUGIN_DIR)"; mkdir -p "$(PLUGIN_DIR)"; \
	for platform in $(PLUGIN_PLATFORMS); do \
		os=$${platform%/*}; arch=$${platform#*/}; suffix=; if [ "$$os" = windows ]; then suffix=.exe; fi; \
		mkdir -p "$(PLUGIN_DIR)/$$os-$$arch"; cp LICENSE "$(PLUGIN_DIR)/$$os-$$arch"; \
		CGO_ENABLED=0 GOOS=$$os GOARCH=$$arch $(GO) build $(BUILD_FLAGS) -o "$(PLUGIN_DIR)/$$os-$$arch/kubectl-clerk$$suffix" ./cmd/kubectl-clerk; \
		tar -C "$(PLUGIN_DIR)/$$os-$$arch" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf - "kubectl-clerk$$suffix" LICENSE | \
			gzip -n >"$(PLUGIN_DIR)/kubectl-clerk_$${os}_$${arch}.tar.gz"; \
		rm -rf "$(PLUGIN_DIR)/$$os-$$arch"; \
	done; \
	cd "$(PLUGIN_DIR)" && sha256sum *.tar.gz >kubectl-clerk_checksums.txt

.PHONY: krew-manifest
krew-manifest: ## Write bin/plugin/clerk.yaml, by which krew installs these archives.
	@$(GO) run ./hack/krew -version "$(VERSION)" -repository "$(REPOSITORY)" \
		<"$(PLUGIN_DIR)/kubectl-clerk_checksums.txt" >"$(PLUGIN_DIR)/clerk.yaml"

# The image without a container engine or a registry. IMAGE names it; IMAGE_PLATFORMS says what for.
IMAGE ?= localhost/clerk-operator:$(VERSION)
IMAGE_PLATFORMS ?= linux/amd64,linux/arm64
IMAGE_ARCHIVE ?= bin/clerk-operator-image.tar
# IMAGE_FLAGS=-push pushes it too, to the registry that IMAGE begins with.
IMAGE_FLAGS ?=
BUILD_IMAGE = $(GO) run -C hack/image . -root $(CURDIR) -name $(IMAGE) -version $(VERSION) -platforms $(IMAGE_PLATFORMS) \
	-revision "$$(git rev-parse HEAD 2>/dev/null || true)" -archive $(CURDIR)/$(IMAGE_ARCHIVE) -sbom $(CURDIR)/bin/clerk-operator-sbom.cdx.json

.PHONY: image
image: ## Build the image: bin/clerk-operator-image.tar, an OCI archive, and its bill of materials beside it.
	@$(BUILD_IMAGE) $(IMAGE_FLAGS)

.PHONY: image-check
image-check: ## Build the image twice, from two folders, and compare the digests.
	@$(BUILD_IMAGE) -check

# The image that install.yaml names: <name>:<tag> or <name>@<digest>.
INSTALL_IMAGE ?= $(IMAGE)

.PHONY: install-yaml
install-yaml: ## Write bin/install.yaml: config/default as one file, with INSTALL_IMAGE.
	@mkdir -p bin/install; \
	case "$(INSTALL_IMAGE)" in \
		*@*) name="$(INSTALL_IMAGE)"; version="digest: \"$${name##*@}\""; name="$${name%@*}" ;; \
		*) name="$(INSTALL_IMAGE)"; version="newTag: \"$${name##*:}\""; name="$${name%:*}" ;; \
	esac; \
	printf '%s\n' 'resources: [../../config/default]' 'images:' '- name: clerk-operator' "  newName: $$name" "  $$version" \
		>bin/install/kustomization.yaml
	@$(TOOL) kustomize build bin/install >bin/install.yaml

.PHONY: kubernetes
kubernetes: ## Build etcd, kube-apiserver, kube-controller-manager and kubectl: bin/k8s/ (minutes the first time).
	@hack/kubernetes/build.sh

# The Go command decides whether anything is to be done.
.PHONY: helm
helm: ## Build helm: bin/helm (2 minutes the first time).
	@CGO_ENABLED=0 $(GO) -C hack/chart build -trimpath -ldflags "-s -w" -o ../../bin/helm helm.sh/helm/v4/cmd/helm

.PHONY: nats
nats: ## Build the NATS server that tests, demo and benchmark hand events on to: bin/nats-server.
	@CGO_ENABLED=0 $(GO) -C hack/nats build -trimpath -ldflags "-s -w" -o ../../bin/nats-server github.com/nats-io/nats-server/v2

.PHONY: generate
generate: ## Regenerate deep copies, apply configurations, CRDs, RBAC, docs/api.md and what the chart has of them.
	@$(CONTROLLER_GEN) object:headerFile=hack/boilerplate.go.txt paths=./api/...
	@rm -rf api/v1alpha1/applyconfiguration
	@$(CONTROLLER_GEN) applyconfiguration:headerFile=hack/boilerplate.go.txt paths=./api/v1alpha1
	@rm -rf config/crd/bases
	@$(CONTROLLER_GEN) crd paths=./api/v1alpha1 output:crd:artifacts:config=config/crd/bases
	@$(GO) run ./hack/kinds
	@$(CONTROLLER_GEN) rbac:roleName=clerk-operator paths=./internal/... paths=./cmd/... output:rbac:dir=config/rbac
	@$(TOOL) crd-ref-docs --log-level=ERROR --source-path=api/v1alpha1 --config=hack/api-docs/config.yaml --templates-dir=hack/api-docs \
		--renderer=markdown --output-path=docs/api.md
	@hack/chart/generate.sh

# The documentation as a site, from the Markdown as it stands. A link that leads nowhere fails, and so does an llms.txt that is not current.
.PHONY: site
site: hack/site/node_modules ## Build the documentation's site: bin/site (needs Node.js).
	@if ! command -v npm >/dev/null; then echo "site: no Node.js here: the documentation's site is NOT built"; exit 0; fi; \
	cd hack/site && npm run --silent build

hack/site/node_modules: hack/site/package.json hack/site/package-lock.json
	@if ! command -v npm >/dev/null; then exit 0; fi; \
	cd hack/site && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error && touch node_modules

# The page of kubectl clerk ui. What is built is committed, so that building the plugin needs no Node.js. PAGE_OUT builds it elsewhere.
PAGE := internal/kubectl/ui/web
# Why the page cannot be built here; nothing if it can. The versions of Node.js that Vite runs on are in package.json.
PAGE_NEEDS = if ! command -v npm >/dev/null; then echo "page: no Node.js (with npm) here: see engines in $(PAGE)/package.json"; \
	else node $(PAGE)/node-version.mjs 2>&1; fi

.PHONY: page
page: page-needs $(PAGE)/node_modules ## Build the page of kubectl clerk ui: internal/kubectl/ui/assets (needs Node.js).
	@cd $(PAGE) && npm run --silent build

.PHONY: page-needs
page-needs:
	@needs=$$($(PAGE_NEEDS)); if [ -n "$$needs" ]; then echo "$$needs" >&2; exit 1; fi

.PHONY: page-check
page-check: $(PAGE)/node_modules ## Check that the page that is committed is what its sources make.
	@needs=$$($(PAGE_NEEDS)); if [ -n "$$needs" ]; then echo "$$needs: whether the page is current is NOT checked"; exit 0; fi; \
	rm -rf bin/page; (cd $(PAGE) && PAGE_OUT=$(CURDIR)/bin/page npm run --silent build >$(CURDIR)/bin/page.log) || { cat bin/page.log; exit 1; }; \
	diff -r bin/page internal/kubectl/ui/assets || { echo "page: what is committed is not current: run make page"; exit 1; }

$(PAGE)/node_modules: $(PAGE)/package.json $(PAGE)/package-lock.json
	@if [ -n "$$($(PAGE_NEEDS))" ]; then exit 0; fi; \
	cd $(PAGE) && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error && touch node_modules

.PHONY: clean
clean: ## Remove what was built.
	@rm -rf bin hack/site/.site hack/site/node_modules test/svix/node_modules $(PAGE)/node_modules

##@ Prove it

.PHONY: test
test: kubernetes build helm nats test/svix/node_modules ## Test everything against a real control plane, with the race detector.
	@race=-race; \
	if ! command -v $(firstword $(shell $(GO) env CC)) >/dev/null; then \
		race=; echo "test: no C compiler (gcc) here, which the race detector needs: testing WITHOUT -race"; \
	fi; \
	$(GO) test $$race -timeout 40m $(TESTFLAGS) $(PACKAGES)
	@if [ "$(PACKAGES)" = ./... ]; then $(MAKE) test-monitoring; fi

# What runs on the control plane alone; KUBERNETES=v1.36.3 says which version. Building it takes minutes, once.
KUBERNETES_PACKAGES ?= ./api/... ./internal/... ./test/chart ./test/e2e ./test/examples
.PHONY: test-kubernetes
test-kubernetes: ## Test on another version of Kubernetes: KUBERNETES=v1.36.3.
	@assets=$$(hack/kubernetes/version.sh $(KUBERNETES)); \
	KUBEBUILDER_ASSETS=$$assets $(MAKE) test PACKAGES="$(KUBERNETES_PACKAGES)"

# A module of its own, and without -race: that would compile Prometheus' engine a second time, and no code of the operator's runs there.
.PHONY: test-monitoring
test-monitoring: kubernetes build helm ## Test alerts and dashboard alone: with Prometheus' engine, and a scrape of a running operator.
	@$(GO) -C test/monitoring test -count=1 -timeout 10m $(TESTFLAGS) ./...

# The images of the end-to-end tests, for this machine's platform: the operator's, made as docs/tutorials/kind.md says, and one that does
# nothing.
E2E_PLATFORM = linux/$(shell $(GO) env GOARCH)

.PHONY: e2e
e2e: kubernetes helm ## Test image and chart on a real node: containerd, kubelet, pods. Needs root on Linux, or KUBECONFIG.
	@if [ "$$($(GO) env GOOS)" = linux ]; then hack/kubernetes/build.sh node; fi
	@$(MAKE) image VERSION=0.1.0 IMAGE_PLATFORMS=$(E2E_PLATFORM)
	@$(GO) run -C hack/image . -root $(CURDIR) -platforms $(E2E_PLATFORM) -version e2e -name localhost/pause:e2e -package ./test/node/pause \
		-archive $(CURDIR)/bin/e2e/pause.tar
	@exec env -u KUBEBUILDER_ASSETS CLERK_OPERATOR_E2E=1 $(GO) test -v -count=1 -timeout 40m $(TESTFLAGS) ./test/node

# The official npm client, for the one test that an independent sender signs. Without Node.js that test is skipped.
test/svix/node_modules: $(wildcard test/svix/package.json test/svix/package-lock.json)
	@if [ ! -f test/svix/package-lock.json ]; then exit 0; fi; \
	if ! command -v npm >/dev/null; then \
		echo "test: no Node.js here: the test with the official svix package will be skipped"; exit 0; \
	fi; \
	cd test/svix && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error && touch node_modules

.PHONY: verify
verify: ## Check all that needs no cluster: generated files, formatting, lint, vet, tidy modules, manifests.
	@echo "verify: generated files"; hack/verify-generated.sh
	@echo "verify: modules"; for module in . hack/tools hack/kubernetes hack/image hack/chart hack/kube-score hack/nats test/monitoring; do \
		$(GO) -C $$module mod tidy -diff; done
	@echo "verify: vet"; $(GO) vet ./... && $(GO) -C test/monitoring vet ./...
	@$(MAKE) lint
	@echo "verify: manifests"; for folder in default me samples; do $(TOOL) kustomize build config/$$folder >/dev/null; done
	@$(MAKE) install-yaml INSTALL_IMAGE=registry.example.com:5000/clerk-operator:0.1.0
	@grep -q 'image: registry.example.com:5000/clerk-operator:0.1.0$$' bin/install.yaml
	@echo "verify: workflows"; if grep -rnE '^ *-? *uses: ' .github/workflows | grep -vE 'uses: (\./|[^@ ]+@[0-9a-f]{40} # v[0-9])'; then \
		echo "verify: pin these actions by commit, with the version beside it"; exit 1; fi
	@$(MAKE) lint-chart
	@echo "verify: site"; $(MAKE) site
	@echo "verify: page"; $(MAKE) page-check
	@echo "verify: all is well"

.PHONY: lint
lint: ## Lint and check formatting; `make lint LINTFLAGS=--fix` mends what can be mended.
	@echo "lint: formatting"; $(LINT) fmt --diff
	@echo "lint: code"; $(LINT) run $(LINTFLAGS) ./...
	@echo "lint: test/monitoring"; cd test/monitoring && $(LINT) run $(LINTFLAGS) ./...

# What kube-score would have otherwise, on purpose:
# - no CPU limit: a throttled receiver answers late;
# - pull policy: tags and digests do not change, and a registry that is away must not keep a pod from starting;
# - anti-affinity: topologySpreadConstraints do that, and do not keep the second replica from running on the last node.
KUBE_SCORE_IGNORE := --ignore-container-cpu-limit --ignore-test container-image-pull-policy --ignore-test deployment-has-host-podantiaffinity

.PHONY: lint-chart
lint-chart: helm ## Lint the chart: helm lint, kube-score.
	@echo "lint: chart"; bin/helm lint --strict --quiet charts/clerk-operator --values charts/clerk-operator/ci/default-values.yaml
	@CGO_ENABLED=0 $(GO) -C hack/kube-score build -trimpath -o ../../bin/kube-score github.com/zegl/kube-score/cmd/kube-score
	@bin/helm template clerk-operator charts/clerk-operator --namespace clerk-operator-system \
		--values charts/clerk-operator/ci/default-values.yaml | \
		bin/kube-score score --kubernetes-version v1.32 --exit-one-on-warning --output-format ci $(KUBE_SCORE_IGNORE) - | \
		awk '/^\[(WARNING|CRITICAL)\]/ { print; bad = 1 } END { exit bad }'

.PHONY: fuzz
fuzz: ## Fuzz each target for FUZZTIME (30s).
	@grep -rHo '^func Fuzz[A-Za-z0-9_]*' --include='*_test.go' internal | while IFS=: read -r file func; do \
		name=$${func#func }; echo "fuzz: $$name for $(FUZZTIME)"; \
		$(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) "./$$(dirname "$$file")"; \
	done

.PHONY: bench
bench: kubernetes build nats ## Measure: throughput against bare server-side apply, time to access, provisioning.
	@CGO_ENABLED=0 $(GO) build -trimpath -o bin/bench ./test/bench
	@exec bin/bench $(BENCHFLAGS)
