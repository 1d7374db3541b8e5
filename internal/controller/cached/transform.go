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
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/metrics"
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

	// reducedAnnotation marks in memory, and nowhere else, what is kept without its content.
	reducedAnnotation = v1alpha1.ReservedPrefix + "reduced"
)

// IsReduced tells whether an object from the cache lacks its content, and so is not as it should be.
func IsReduced(object client.Object) bool {
	_, reduced := object.GetAnnotations()[reducedAnnotation]
	return reduced
}

// keepTenantObject is the cache's transform for what the operator has in namespaces. It may see an object twice.
func keepTenantObject(stored any) (any, error) {
	object, ok := stored.(client.Object)
	if !ok {
		return stored, nil // a tombstone of the cache itself
	}
	reduced := IsReduced(object)
	keepMetadata(object)
	kind, fits := keepContent(object)
	if !fits && !reduced {
		metrics.CacheReduced.WithLabelValues(kind).Inc()
	}
	if !fits || reduced {
		object.SetAnnotations(map[string]string{reducedAnnotation: ""})
	}
	return object, nil
}

// keepMetadata takes off what the operator never looks at, and what could be long.
func keepMetadata(object client.Object) {
	labels := map[string]string{}
	for _, key := range []string{v1alpha1.OrganizationIDLabel, v1alpha1.InstanceLabel, v1alpha1.ManagedByLabel} {
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
	return owner.Kind == "ClerkOrganization" && strings.HasPrefix(owner.APIVersion, v1alpha1.GroupVersion.Group+"/")
}

// keepContent drops the content of what the operator cannot have written, and says of which kind it is and whether it fits.
func keepContent(object client.Object) (kind string, fits bool) {
	switch object := object.(type) {
	case *rbacv1.RoleBinding:
		return "RoleBinding", keepSubjects(object)
	case *networkingv1.NetworkPolicy:
		if fits = tenant.CheckPolicySize(&object.Spec) == nil; !fits {
			object.Spec = networkingv1.NetworkPolicySpec{}
		}
		return "NetworkPolicy", fits
	case *corev1.ResourceQuota:
		object.Status = corev1.ResourceQuotaStatus{}
		if fits = object.Name == tenant.PolicyName && tenant.CheckQuotaSize(&object.Spec) == nil; !fits {
			object.Spec = corev1.ResourceQuotaSpec{}
		}
		return "ResourceQuota", fits
	case *corev1.LimitRange:
		if fits = object.Name == tenant.PolicyName && tenant.CheckLimitsSize(&object.Spec) == nil; !fits {
			object.Spec = corev1.LimitRangeSpec{}
		}
		return "LimitRange", fits
	}
	return fmt.Sprintf("%T", object), true
}

// reducedSubject stands for the subjects of a RoleBinding that are not kept.
const reducedSubject = "Reduced"

// keepSubjects keeps the subjects of a RoleBinding that an organization owns. Of another it is kept that there are some: what is wanted is
// then written as a whole, and what is not wanted is emptied or deleted.
func keepSubjects(binding *rbacv1.RoleBinding) bool {
	fits := len(binding.OwnerReferences) > 0 && len(binding.Subjects) <= maxBindingSubjects && binding.Size() <= maxBindingBytes
	if !fits && len(binding.Subjects) > 0 {
		binding.Subjects = []rbacv1.Subject{{Kind: reducedSubject}}
	}
	if len(binding.RoleRef.Name) > maxRoleNameBytes {
		binding.RoleRef = rbacv1.RoleRef{}
	}
	return fits
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
