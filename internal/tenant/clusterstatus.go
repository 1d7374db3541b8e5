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

package tenant

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/condition"
)

// ClusterGrantStatus says how a ClusterGrant stands, by what was decided last and what went wrong.
func ClusterGrantStatus(s *ClusterSituation, intent *ClusterIntent, failed Problems) v1alpha1.ClusterGrantStatus {
	var members int32
	for range intent.Held {
		members++
	}
	status := v1alpha1.ClusterGrantStatus{ObservedGeneration: s.Grant.Generation, Members: &members}
	if intent.Expires != nil {
		status.Expires = new(metav1.NewTime(*intent.Expires))
	}
	status.Conditions = intent.verdict(s, slices.Concat(intent.Problems, failed)).Conditions(s.Grant.Status.Conditions, s.Grant.Generation)
	return status
}

func (i *ClusterIntent) verdict(s *ClusterSituation, problems Problems) condition.Verdict {
	role := s.Grant.Spec.ClusterRole
	switch {
	case i.Observe:
		stay := len(both(i.Due, i.Held))
		message := fmt.Sprintf("the ClerkInstance %s is in mode Observe, so nothing is done; it would give the ClusterRole %s to %d users more, "+
			"and take it from %d", s.Grant.Spec.InstanceRef.Name, role, len(i.Due)-stay, len(i.Held)-stay)
		if len(problems) > 0 {
			message += "; " + problems.Message()
		}
		return condition.Verdict{Reason: v1alpha1.ReasonObserving, Message: message}
	case len(problems) > 0:
		first := problems.First()
		return condition.Verdict{Stalled: first.Stalled, Reason: first.Reason, Message: problems.Message()}
	case len(i.Plan.Delete) > 0, i.Plan.Shrink != nil, i.Plan.Grow != nil:
		return condition.Verdict{Reason: v1alpha1.ReasonProgressing, Message: "the access is being changed"}
	case len(i.Due) == 0:
		return condition.Verdict{Ready: true, Reason: v1alpha1.ReasonReady,
			Message: fmt.Sprintf("no member should have the ClusterRole %s by this grant, and none has", role)}
	}
	return condition.Verdict{Ready: true, Reason: v1alpha1.ReasonReady,
		Message: fmt.Sprintf("the members who should have the ClusterRole %s in the whole cluster have it, and nobody else by this grant", role)}
}
