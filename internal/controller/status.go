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
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// verdict is what a status says: whether all is well and, if not, why.
type verdict struct {
	ready   bool
	stalled bool
	reason  string
	message string

	// dropped are the fields that could not be kept as Clerk sent them.
	dropped []string
}

// without is the verdict on an object that lacks some fields.
func (v verdict) without(dropped []string) verdict {
	v.dropped = dropped
	return v
}

func droppedCondition(fields []string) metav1.Condition {
	return metav1.Condition{
		Type: v1alpha1.ConditionDataDropped, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonFieldsOdd,
		Message: "left out, since of the wrong type, too long or too deep: " + strings.Join(fields, ", ") +
			": correct it in Clerk; until then expressions that read it fail",
	}
}

// maxMessage bounds a condition's message, in bytes. The note of a Kubernetes Event, which may repeat it, takes 1024.
const maxMessage = 1000

// conditions are the conditions of a verdict; those that say the same as before keep the time of their transition.
func (v verdict) conditions(before []metav1.Condition, generation int64, more ...metav1.Condition) []metav1.Condition {
	wanted := append([]metav1.Condition{{
		Type: v1alpha1.ConditionReady, Status: statusOf(v.ready), Reason: v.reason, Message: v.message,
	}}, more...)
	if v.stalled {
		wanted = append(wanted, metav1.Condition{
			Type: v1alpha1.ConditionStalled, Status: metav1.ConditionTrue, Reason: v.reason, Message: v.message,
		})
	}
	if len(v.dropped) > 0 {
		wanted = append(wanted, droppedCondition(v.dropped))
	}
	conditions := slices.Clone(before)
	for _, condition := range wanted {
		condition.ObservedGeneration = generation
		if len(condition.Message) > maxMessage {
			condition.Message = strings.ToValidUTF8(condition.Message[:maxMessage], "") + "…"
		}
		meta.SetStatusCondition(&conditions, condition)
	}
	if !v.stalled {
		meta.RemoveStatusCondition(&conditions, v1alpha1.ConditionStalled)
	}
	if len(v.dropped) == 0 {
		meta.RemoveStatusCondition(&conditions, v1alpha1.ConditionDataDropped)
	}
	return conditions
}

// changed are the conditions of a verdict on a kind that says nothing of generations, and whether they say anything new. So a spec may
// change many times, as a user's does with every sign-in, and the status is written once.
func (v verdict) changed(before []metav1.Condition) ([]metav1.Condition, bool) {
	conditions := v.conditions(before, 0)
	return conditions, !equality.Semantic.DeepEqual(before, conditions)
}

func statusOf(holds bool) metav1.ConditionStatus {
	if holds {
		return metav1.ConditionTrue
	}
	return metav1.ConditionFalse
}

// conditionConfigurations are conditions as server-side apply takes them.
func conditionConfigurations(conditions []metav1.Condition) []metav1ac.ConditionApplyConfiguration {
	configurations := make([]metav1ac.ConditionApplyConfiguration, len(conditions))
	for i := range conditions {
		condition := &conditions[i]
		configurations[i] = metav1ac.ConditionApplyConfiguration{
			Type:               &condition.Type,
			Status:             &condition.Status,
			ObservedGeneration: &condition.ObservedGeneration,
			LastTransitionTime: &condition.LastTransitionTime,
			Reason:             &condition.Reason,
			Message:            &condition.Message,
		}
	}
	return configurations
}

// isReady tells whether an object's Ready condition is True, and its reason.
func isReady(conditions []metav1.Condition) (ready bool, reason string) {
	condition := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	if condition == nil {
		return false, ""
	}
	return condition.Status == metav1.ConditionTrue, condition.Reason
}
