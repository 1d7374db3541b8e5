#!/usr/bin/env bash
# Copyright 2026 The clerk-operator Authors.
# SPDX-License-Identifier: Apache-2.0
#
# Builds the control plane of another version of Kubernetes than the pinned one, and prints its folder, for KUBEBUILDER_ASSETS:
#   hack/kubernetes/version.sh v1.36.3
# It is the same module with other versions in it, in the cache folder. What the version's modules need is decided by `go mod tidy`.
set -euo pipefail
[[ ${1:-} =~ ^v1\.[0-9]+\.[0-9]+$ ]] || { echo "usage: $0 v1.<minor>.<patch>" >&2; exit 2; }

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
pinned=$(awk '$1 == "k8s.io/kubernetes" { print $2; exit }' "$here/go.mod")
root=${CLERK_OPERATOR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/clerk-operator}/module-$1
module=$root/hack/kubernetes
mkdir -p "$module"
cp "$here/build.sh" "$here/main.go" "$module"
if [[ ! -f $module/go.sum ]]; then
  # etcd is the one that this version of Kubernetes is tested with.
  sed -e '/ \/\/ indirect$/d' -e '/go.etcd.io\/etcd\/server/d' -e "s/${pinned//./\\.}/$1/" -e "s/v0\\${pinned#v1}/v0${1#v1}/" \
    "$here/go.mod" >"$module/go.mod"
  (cd "$module" && GOWORK=off GOFLAGS=-mod=mod go mod tidy) >&2 || { rm -f "$module/go.sum"; exit 1; }
fi
env -u KUBEBUILDER_ASSETS "$module/build.sh" >&2
echo "$root/bin/k8s"
