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
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// happening is something that happened to a tenant, as people find it with kubectl describe and kubectl events.
type happening struct {
	kind   string
	reason string
	action string
	note   string
}

// tell puts on record, in the log and as a Kubernetes Event, what happened to a tenant.
func (r *organizationReconciler) tell(ctx context.Context, organization *v1alpha1.ClerkOrganization, what happening) {
	log.FromContext(ctx).Info(what.note, "organization", organization.Spec.ID, "reason", what.reason)
	r.recorder.Eventf(organization, nil, what.kind, what.reason, what.action, "%s", what.note)
}

func namespaceCreated(name string) happening {
	return happening{corev1.EventTypeNormal, "NamespaceCreated", "CreateNamespace", "Created namespace " + name}
}

func namespaceReleased(name string) happening {
	return happening{corev1.EventTypeNormal, "NamespaceReleased", "ReleaseNamespace",
		fmt.Sprintf("No TenantClass wants namespace %s any longer: its grants were removed, the namespace stays", name)}
}

func namespaceDeleted(name string) happening {
	return happening{corev1.EventTypeNormal, "NamespaceDeleted", "DeleteNamespace",
		fmt.Sprintf("Deleted namespace %s: the organization was deleted and the class's delay is over", name)}
}

func organizationDeleted() happening {
	return happening{corev1.EventTypeNormal, "OrganizationDeleted", "RevokeAccess",
		"The organization was deleted in Clerk: all of its grants are removed"}
}

func driftRepaired(kind, namespace, name string) happening {
	object := name
	if namespace != "" {
		object = namespace + "/" + name
	}
	return happening{corev1.EventTypeWarning, "DriftRepaired", "Repair",
		fmt.Sprintf("Somebody else had changed or deleted %s %s: it was put right", kind, object)}
}

func notReady(reason, message string) happening {
	return happening{corev1.EventTypeWarning, reason, "Reconcile", message}
}

func ready(class string) happening {
	return happening{corev1.EventTypeNormal, v1alpha1.ReasonReady, "Reconcile",
		"The organization has what the TenantClass " + class + " gives"}
}
