/*
Copyright 2026 The clerk-operator Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package controller

import (
	"context"

	"github.com/clerk-operator/clerk-operator/internal/metrics"
)

// markRight records that an object of the organization is as it should be.
func (e *enforcement) markRight(name, namespace, kind string, want any) {
	e.ledger.settle(e.organization().UID, ledgerKey(kind, namespace, name), hashOf(want))
}

// unmark records that an object is no longer wanted.
func (e *enforcement) unmark(name, namespace, kind string) {
	e.ledger.unsettle(e.organization().UID, ledgerKey(kind, namespace, name))
}

// reportDrift counts and tells that an object is about to be put right, if somebody else is why it has to be.
func (e *enforcement) reportDrift(ctx context.Context, name, namespace, kind string, want any) {
	if !e.ledger.drifted(e.organization().UID, ledgerKey(kind, namespace, name), hashOf(want)) {
		return
	}
	metrics.DriftRepaired.WithLabelValues(kind).Inc()
	if namespace == "" {
		name = "" // a namespace's own
	}
	e.tell(ctx, e.organization(), driftRepaired(kind, name))
}

func ledgerKey(kind, namespace, name string) string {
	return kind + "/" + namespace + "/" + name
}
