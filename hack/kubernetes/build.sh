#!/usr/bin/env bash
# Copyright 2026 The clerk-operator Authors.
# SPDX-License-Identifier: Apache-2.0
#
# Puts etcd, kube-apiserver, kube-controller-manager and kubectl into bin/k8s: links to what KUBEBUILDER_ASSETS holds, where that is set,
# or else to one binary built from this module, which is kept outside the clone so that it is built once, not once per clone.
# With the argument "node" it is kubelet, kube-scheduler and kube-proxy, which are always built (for Linux, the only one that has them).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
bin=$(cd "$here/../.." && pwd)/bin/k8s
mkdir -p "$bin"

case ${1:-controlplane} in
  controlplane) kind=kubernetes package=. names=(etcd kube-apiserver kube-controller-manager kubectl) ;;
  node) kind=kubernetes-node package=./node names=(kubelet kube-scheduler kube-proxy) ;;
  *) echo "usage: $0 [controlplane | node]" >&2; exit 2 ;;
esac

if [[ $kind == kubernetes && -n "${KUBEBUILDER_ASSETS:-}" ]]; then
  for name in etcd kube-apiserver kubectl kube-controller-manager; do
    rm -f "$bin/$name"
    if [[ -x "$KUBEBUILDER_ASSETS/$name" ]]; then
      ln -s "$(cd "$KUBEBUILDER_ASSETS" && pwd)/$name" "$bin/$name"
    elif [[ $name != kube-controller-manager ]]; then
      echo "no $name in KUBEBUILDER_ASSETS ($KUBEBUILDER_ASSETS): put it there, or unset the variable to build it" >&2
      exit 1
    else
      echo "no kube-controller-manager in KUBEBUILDER_ASSETS ($KUBEBUILDER_ASSETS): without it nothing is garbage-collected and no" \
        "namespace goes away, so the tests, the demo and make run refuse to start; put it there, or unset the variable to build it" >&2
    fi
  done
  exit 0
fi

cd "$here"
export GOWORK=off CGO_ENABLED=0
version=$(awk '$1 == "k8s.io/kubernetes" { print $2; exit }' go.mod) # for example v1.37.2
minor=${version#v1.}
ldflags="-s -w -X k8s.io/component-base/version.gitVersion=$version -X k8s.io/component-base/version.gitMajor=1"
ldflags+=" -X k8s.io/component-base/version.gitMinor=${minor%%.*} -X k8s.io/client-go/pkg/version.gitVersion=$version"

# Everything that decides what the binary becomes is in its cache folder's name.
sha256=$(command -v sha256sum || echo shasum -a 256)
hash=$({ cat go.mod go.sum "$package/main.go"; echo "$ldflags"; go env GOVERSION GOOS GOARCH; } | $sha256)
cache=${CLERK_OPERATOR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/clerk-operator}/$kind-${hash:0:16}
binary=$cache/$kind
listed=$(IFS=, && echo "${names[*]}")

# The build takes some 16 minutes of one core's time, measured on 2 cores; it uses all there are.
core_minutes=16
cores=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)

# What is left at the pace so far: $1 of $2 are done, in $3 seconds. Nothing is said before there is a pace.
left() {
  local done=$1 of=$2 took=$3
  if ((of > 0 && took >= 20 && done * 20 > of && done < of)); then
    echo ", about $(((took * (of - done) / done + 59) / 60)) min left"
  fi
}

# Waits for the go command in the background, which prints one line to its log for each thing done: $1 says what has been done, $2 of how
# many (0: that is not known). On a terminal that is one line, refreshed each second; elsewhere a line every 15 seconds.
follow() {
  local line count of said=$SECONDS began=$SECONDS
  if (($2 > 0)); then of=" of $2 packages"; else of=""; fi
  while kill -0 "$job" 2>/dev/null; do
    count=$(wc -l <"$new/log" | tr -d ' ')
    line="kubernetes ${version#v}: $1 $count$of ($((SECONDS / 60))m$((SECONDS % 60))s$(left "$count" "$2" $((SECONDS - began)))); this happens once"
    if [[ -t 1 ]]; then printf '\r\033[K%s' "$line"; elif ((SECONDS >= said + 15)); then said=$SECONDS && echo "$line"; fi
    sleep 1
  done
  [[ ! -t 1 ]] || echo
  wait "$job"
}

build() {
  mkdir -p "$cache"
  new=$(mktemp -d "$cache/build.XXXXXX") # beside the result, so that the rename is atomic; of two builds at once the later one stays
  export GOTMPDIR=$new # The go command leaves its temporary files where they are when it is interrupted.
  set -m # The go command gets a process group of its own: without that it would ignore Ctrl-C, as all background jobs of a script do.
  trap '[[ -z "${job:-}" ]] || { kill -INT -- "-$job" && wait "$job"; } 2>/dev/null || true; rm -rf "$new"' EXIT
  trap 'exit 130' INT TERM HUP
  echo "kubernetes ${version#v}: building ${listed//,/, }: about $(((core_minutes + cores - 1) / cores)) min here ($cores cores), once"
  [[ $kind != kubernetes ]] || echo "  (KUBEBUILDER_ASSETS=<a folder with these> spares it)"
  : >"$new/log" # follow may look before the go command has begun
  go list -deps "$package" >"$new/packages" 2>"$new/log" & job=$!
  if ! follow "downloaded modules:" 0; then
    grep -v '^go: downloading ' "$new/log" | tail -n 5 >&2
    echo "kubernetes ${version#v}: could not download its modules: check the network and 'go env GOPROXY', then run this again" >&2
    exit 1
  fi
  go build -v -trimpath -buildvcs=false -ldflags "$ldflags" -o "$new/$kind" "$package" 2>"$new/log" & job=$!
  follow "compiled" "$(wc -l <"$new/packages" | tr -d ' ')" || { grep ' ' "$new/log" | tail -n 20 >&2; exit 1; }
  mv "$new/$kind" "$binary"
  echo "kubernetes ${version#v}: ready after $((SECONDS / 60))m$((SECONDS % 60))s, kept in $cache"
}

[[ -x "$binary" ]] || build
for name in "${names[@]}"; do
  [[ "$bin/$name" -ef "$binary" ]] || ln -sfn "$binary" "$bin/$name"
done
