#!/usr/bin/env bash
# Regenerates everything in a copy of the tree, and fails with the difference when what is committed is not current.
# The tree itself is left alone, whatever state it is in.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT

tar --exclude=./bin --exclude=./.git --exclude=node_modules -cf - . | tar -xf - -C "$copy"
make --no-print-directory -C "$copy" generate

for path in api config charts docs/api.md internal/kinds; do
  if ! diff -ru "$path" "$copy/$path"; then
    echo "verify: $path is not current: run make generate, and commit what it writes" >&2
    exit 1
  fi
done
