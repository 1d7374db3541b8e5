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

package tenantclass

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

const (
	// policyRetry is how often the operator looks for the policy that is missing, and policyCheck, whether it is still there. No watch tells.
	policyRetry, policyCheck = 30 * time.Second, 10 * time.Minute

	// policyTimeout bounds such a look.
	policyTimeout = 5 * time.Second
)

// The policy that has the API server record who makes what, and what puts it into force.
var (
	mutatingPolicy  = schema.GroupKind{Group: "admissionregistration.k8s.io", Kind: "MutatingAdmissionPolicy"}
	mutatingBinding = schema.GroupKind{Group: "admissionregistration.k8s.io", Kind: "MutatingAdmissionPolicyBinding"}
)

// creators tells whether the API server records who makes what.
type creators struct {
	// live reads from the API server itself.
	live   client.Reader
	mapper meta.RESTMapper

	// policy is the name of the policy, and of its binding.
	policy string

	// known is what was found, which counts for all classes until a time. There is one worker.
	known *metav1.Condition
	until time.Time
}

// condition says of a class whether who makes what is recorded, and when to look again; nil where the class does not ask for it.
func (c *creators) condition(ctx context.Context, class *v1alpha1.TenantClass) (*metav1.Condition, time.Duration, error) {
	if class.Spec.Creators != v1alpha1.CreatorsRecorded {
		return nil, 0, nil
	}
	if left := time.Until(c.until); left > 0 {
		return c.known, left, nil
	}
	said, pause, err := c.find(ctx)
	if err != nil {
		return nil, 0, err
	}
	c.known, c.until = said, time.Now().Add(pause)
	return said, pause, nil
}

// find looks for the policy and for what puts it into force, and says when to do so again.
func (c *creators) find(ctx context.Context) (*metav1.Condition, time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, policyTimeout)
	defer cancel()
	said := &metav1.Condition{Type: v1alpha1.ConditionCreatorsRecorded, Status: metav1.ConditionFalse}
	for _, kind := range []schema.GroupKind{mutatingPolicy, mutatingBinding} {
		err := c.look(ctx, kind)
		switch {
		case err == nil:
			continue
		case meta.IsNoMatchError(err):
			said.Reason = v1alpha1.ReasonNotServed
			said.Message = "the API server has no MutatingAdmissionPolicy, so nobody records who makes what in the namespaces of this class, and " +
				"RoleBindings that somebody made who leaves are not told from others: upgrade Kubernetes to 1.36, then upgrade the release of the " +
				"operator; everything else of the class is done"
		case apierrors.IsNotFound(err), apierrors.IsForbidden(err):
			said.Reason = v1alpha1.ReasonPolicyNotFound
			said.Message = fmt.Sprintf("the API server has MutatingAdmissionPolicies, and the operator finds no %s %s, so nobody records who makes "+
				"what in the namespaces of this class: upgrade the release of the operator with admission.enabled, or, from Kubernetes 1.36 on, "+
				"apply config/creators; everything else of the class is done", kind.Kind, c.policy)
		default:
			return nil, 0, fmt.Errorf("look for the %s %s: %w", kind.Kind, c.policy, err)
		}
		return said, policyRetry, nil
	}
	said.Status, said.Reason = metav1.ConditionTrue, v1alpha1.ReasonRecorded
	said.Message = "the API server records who makes what in the namespaces of this class; what was there before has no record"
	return said, policyCheck, nil
}

// look is nil where there is an object of a kind with the policy's name.
func (c *creators) look(ctx context.Context, kind schema.GroupKind) error {
	mapping, err := c.mapper.RESTMapping(kind)
	if err != nil {
		return err
	}
	var found metav1.PartialObjectMetadata
	found.SetGroupVersionKind(mapping.GroupVersionKind)
	return c.live.Get(ctx, client.ObjectKey{Name: c.policy}, &found)
}
