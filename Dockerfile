# The operator as an image: one static binary and the certificates it verifies its peers with, run by nobody.
ARG BUILDER_IMAGE=golang:1.26
# Nothing but what is copied into it. A distroless static image (its nonroot variant) serves as well: --build-arg RUNTIME_IMAGE=…
ARG RUNTIME_IMAGE=scratch

FROM ${BUILDER_IMAGE} AS builder
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
    go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /out/clerk-operator ./cmd

FROM ${RUNTIME_IMAGE}
COPY --from=builder /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=builder /out/clerk-operator /clerk-operator
USER 65532:65532
ENTRYPOINT ["/clerk-operator"]
