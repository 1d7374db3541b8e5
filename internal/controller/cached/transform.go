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

package cached

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// Members of organizations write the tenants' kinds too, and where the guards are switched off nobody keeps them from using the operator's
// labels. So of each object no more is kept in memory than the operator could have written itself; the rest is never stored, only decoded.
const (
	// maxBindingSubjects is how many subjects are kept of a RoleBinding: twice of what the operator writes, so that a few that somebody
	// added are still seen, one by one, as what has to go first.
	maxBindingSubjects = 2 * tenant.MaxSubjects

	// maxBindingBytes bounds them in bytes: as many names of the longest that the operator gives, and what stands around each.
	maxBindingBytes = maxBindingSubjects * (256 + 64)

	// maxRoleNameBytes is how long the name of a ClusterRole may be that is kept: the longest that a TenantClass may map.
	maxRoleNameBytes = 253

	// maxFinalizers and maxFinalizerBytes bound what is kept of finalizers: enough to say by whom an object is held.
	maxFinalizers, maxFinalizerBytes = 4, 316

	// maxOwners is how many owners are kept; the operator's objects have one.
	maxOwners = 4

	// maxSecretValueBytes is how long a value of a Secret may be that is kept. Signing secrets and API keys have under 100 bytes,
	// and a chain of certificates or the authorities of a sink some thousand; Helm keeps
	// its releases in Secrets of the same namespace, with up to a megabyte each.
	maxSecretValueBytes = 32 << 10

	// ReducedAnnotation marks in memory, and nowhere else, what is kept without its content.
	ReducedAnnotation = v1alpha1.ReservedPrefix + "reduced"
)

// reducedAnnotations are the same map for all, since there may be very many. Nobody changes it: what is in the cache never is.
var reducedAnnotations = map[string]string{ReducedAnnotation: ""}

// IsReduced tells whether an object from the cache lacks its content, and so is not as it should be.
func IsReduced(object client.Object) bool {
	_, reduced := object.GetAnnotations()[ReducedAnnotation]
	return reduced
}

// wasReducedHere tells whether an object that is about to be kept was reduced by this process before. An annotation that came from the API
// server says nothing: whoever may write one there would have the operator overlook what the object says.
func wasReducedHere(object client.Object) bool {
	return reflect.ValueOf(object.GetAnnotations()).UnsafePointer() == reflect.ValueOf(reducedAnnotations).UnsafePointer()
}

// keepMetadata takes off what the operator never looks at, and what could be long. Labels that are named besides the usual ones are kept.
func keepMetadata(object client.Object, more ...string) {
	labels := map[string]string{}
	for _, key := range append([]string{v1alpha1.OrganizationIDLabel, v1alpha1.InstanceLabel, v1alpha1.ManagedByLabel}, more...) {
		if value, set := object.GetLabels()[key]; set {
			labels[key] = value
		}
	}
	object.SetLabels(labels)
	object.SetAnnotations(nil)
	object.SetManagedFields(nil)
	others := func(owner metav1.OwnerReference) bool { return !isOrganization(owner) }
	owners := slices.DeleteFunc(slices.Clone(object.GetOwnerReferences()), others)
	object.SetOwnerReferences(slices.Clip(owners[:min(len(owners), maxOwners)]))
	var finalizers []string // that there are any matters, more than what they are called
	for _, name := range object.GetFinalizers()[:min(len(object.GetFinalizers()), maxFinalizers)] {
		finalizers = append(finalizers, strings.Clone(name[:min(len(name), maxFinalizerBytes)]))
	}
	object.SetFinalizers(finalizers)
}

func isOrganization(owner metav1.OwnerReference) bool {
	return owner.Kind == v1alpha1.KindOrganization && strings.HasPrefix(owner.APIVersion, v1alpha1.GroupVersion.Group+"/")
}

// contentFits says of which kind an object is, and whether the operator can have written its content.
func contentFits(object client.Object) (kind string, fits bool) {
	switch object := object.(type) {
	case *rbacv1.RoleBinding:
		// Of one that no organization owns it is enough to know that it has subjects: what is wanted is then written as a whole, and what
		// is not wanted is emptied or deleted.
		return "RoleBinding", len(object.OwnerReferences) > 0 && len(object.Subjects) <= maxBindingSubjects &&
			len(object.RoleRef.Name) <= maxRoleNameBytes && object.Size() <= maxBindingBytes
	case *networkingv1.NetworkPolicy:
		return "NetworkPolicy", tenant.CheckPolicySize(&object.Spec) == nil
	case *corev1.ResourceQuota:
		object.Status = corev1.ResourceQuotaStatus{}
		return "ResourceQuota", object.Name == tenant.PolicyName && tenant.CheckQuotaSize(&object.Spec) == nil
	case *corev1.LimitRange:
		return "LimitRange", object.Name == tenant.PolicyName && tenant.CheckLimitsSize(&object.Spec) == nil
	}
	return fmt.Sprintf("%T", object), true
}

// reducedSubject stands for the subjects of a RoleBinding that are not kept.
const reducedSubject = "Reduced"

// dropContent takes off all but the name of an object and whose it claims to be.
func dropContent(object client.Object) {
	object.SetAnnotations(reducedAnnotations)
	if finalizers := object.GetFinalizers(); len(finalizers) > 1 {
		object.SetFinalizers(slices.Clone(finalizers[:1]))
	}
	switch object := object.(type) {
	case *rbacv1.RoleBinding:
		if len(object.Subjects) > 0 {
			object.Subjects = []rbacv1.Subject{{Kind: reducedSubject}}
		}
		if len(object.RoleRef.Name) > maxRoleNameBytes {
			object.RoleRef = rbacv1.RoleRef{}
		}
	case *rbacv1.ClusterRoleBinding:
		if len(object.Subjects) > 0 {
			object.Subjects = []rbacv1.Subject{{Kind: reducedSubject}}
		}
		if len(object.RoleRef.Name) > maxRoleNameBytes {
			object.RoleRef = rbacv1.RoleRef{}
		}
	case *networkingv1.NetworkPolicy:
		object.Spec = networkingv1.NetworkPolicySpec{}
	case *corev1.ResourceQuota:
		object.Spec = corev1.ResourceQuotaSpec{}
	case *corev1.LimitRange:
		object.Spec = corev1.LimitRangeSpec{}
	}
}

// keepNamespace is the cache's transform for namespaces. Annotations of other programs may have 256 KiB each time.
func keepNamespace(stored any) (any, error) {
	namespace, ok := stored.(*corev1.Namespace)
	if !ok {
		return stored, nil
	}
	namespace.ManagedFields = nil
	managed := tenant.ManagedAnnotations(namespace)
	kept := map[string]string{}
	for key, value := range namespace.Annotations {
		if strings.HasPrefix(key, v1alpha1.ReservedPrefix) || slices.Contains(managed, key) {
			kept[key] = value
		}
	}
	namespace.Annotations = kept
	return namespace, nil
}

// keepSecret is the cache's transform for Secrets. What is too long to be a signing secret or an API key is none.
func keepSecret(stored any) (any, error) {
	secret, ok := stored.(*corev1.Secret)
	if !ok {
		return stored, nil
	}
	secret.ManagedFields, secret.Annotations = nil, nil
	for key, value := range secret.Data {
		if len(value) > maxSecretValueBytes {
			delete(secret.Data, key)
		}
	}
	return secret, nil
}
