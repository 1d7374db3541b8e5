# The operator as an image: one static binary, run by nobody. The certificates of the world's authorities are in the binary; mount a folder of
# others at /etc/ssl/certs to replace them. `make image` builds the same without a container engine.
ARG BUILDER_IMAGE=golang:1.26
# Nothing but what is copied into it. A distroless static image (its nonroot variant) serves as well: --build-arg RUNTIME_IMAGE=…
ARG RUNTIME_IMAGE=scratch

# The builder runs on the machine's own platform and compiles for the other.
FROM --platform=${BUILDPLATFORM} ${BUILDER_IMAGE} AS builder
WORKDIR /src
# The modules first: they change less often than the source, and stay cached.
COPY go.mod go.sum ./
RUN go mod download
COPY api/ api/
COPY cmd/ cmd/
COPY config/rbac/ config/rbac/
COPY internal/ internal/
ARG TARGETOS=linux
ARG TARGETARCH
ARG VERSION=dev
RUN CGO_ENABLED=0 GOOS=${TARGETOS} GOARCH=${TARGETARCH} \
    go build -trimpath -buildvcs=false -ldflags "-s -w -buildid= -X main.version=${VERSION}" -o /out/clerk-operator ./cmd

FROM ${RUNTIME_IMAGE}
ARG VERSION=dev
LABEL org.opencontainers.image.title="clerk-operator" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.vendor="The clerk-operator Authors"
COPY --from=builder /out/clerk-operator /clerk-operator
WORKDIR /
USER 65532:65532
ENTRYPOINT ["/clerk-operator"]
