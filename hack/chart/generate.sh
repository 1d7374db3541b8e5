#!/usr/bin/env bash
# Copyright 2026 The clerk-operator Authors.
# SPDX-License-Identifier: Apache-2.0
#
# Brings what the chart has of config/ up to date: its CRDs, its rules and its guards are copies as they stand, which templates give the
# release's names to. Then the table of values in the chart's README. Part of `make generate`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

chart=charts/clerk-operator
rm -rf "$chart/crds" "$chart/files/rbac" "$chart/files/admission"
mkdir -p "$chart/crds" "$chart/files/rbac" "$chart/files/admission"
cp config/crd/bases/*.yaml "$chart/crds/"
cp config/rbac/*.yaml "$chart/files/rbac/"
cp config/admission/*.yaml "$chart/files/admission/"
rm "$chart"/files/*/kustomization.yaml
cp config/creators/recorded_creators.yaml "$chart/files/admission/" # the chart leaves it out where the API server does not have the kind
# The chart renders these by its values: what its TenantClasses map, what ClusterGrants may give, and the account.
rm "$chart"/files/rbac/{bind_role,bind_role_binding,cluster_grants_role,cluster_grants_role_binding}.yaml
rm "$chart"/files/rbac/{service_account,sink_token_role,sink_token_role_binding}.yaml

go -C hack/chart tool helm-docs --log-level=error --chart-search-root="$PWD/charts" --sort-values-order=file
