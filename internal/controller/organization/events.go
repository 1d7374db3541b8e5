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

package organization

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// tenantEvent is something that happened to a tenant, as people find it with kubectl describe and kubectl events.
type tenantEvent struct {
	kind   string
	reason string
	action string
	note   string
}

// Neither Events nor logs name a namespace: its name is made of the organization's, which may be a person's. Which one is meant is in the
// organization's status.

// tell puts on record, in the log and as a Kubernetes Event, what happened to a tenant.
func (r *Reconciler) tell(ctx context.Context, organization *v1alpha1.ClerkOrganization, what tenantEvent) {
	log.FromContext(ctx).Info(what.note, "organization", organization.Spec.ID, "reason", what.reason)
	r.Recorder.Eventf(organization, nil, what.kind, what.reason, what.action, "%s", what.note)
}

func namespaceReleased() tenantEvent {
	return tenantEvent{corev1.EventTypeNormal, "NamespaceReleased", "ReleaseNamespace",
		"No TenantClass wants a namespace any longer (status.namespaces says which): its grants were removed, the namespace stays"}
}

func namespaceDeleted() tenantEvent {
	return tenantEvent{corev1.EventTypeNormal, "NamespaceDeleted", "DeleteNamespace",
		"Deleted a namespace: the organization was deleted and the class's delay is over"}
}

func derivedAccessRemoved(removal tenant.Removal) tenantEvent {
	return tenantEvent{corev1.EventTypeNormal, "DerivedAccessRemoved", "RevokeDerivedAccess",
		"What would have let people in who have no access any longer was removed: " + removal.Counts()}
}

func organizationDeleted() tenantEvent {
	return tenantEvent{corev1.EventTypeNormal, "OrganizationDeleted", "RevokeAccess",
		"The organization was deleted in Clerk: all of its grants are removed"}
}

func driftRepaired(kind, name string) tenantEvent {
	return tenantEvent{corev1.EventTypeWarning, "DriftRepaired", "Repair",
		strings.TrimSpace(fmt.Sprintf("Somebody else had changed or deleted a %s %s", kind, name)) + ": it was put right"}
}

func notReady(reason string) tenantEvent {
	return tenantEvent{corev1.EventTypeWarning, reason, "Reconcile",
		"The organization is not ready: its condition Ready says what is wrong and what to do"}
}

func ready(class string) tenantEvent {
	return tenantEvent{corev1.EventTypeNormal, v1alpha1.ReasonReady, "Reconcile",
		"The organization has what the TenantClass " + class + " gives"}
}
