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

// Package condition makes the conditions of every kind: what they say, how long that may be, and whether it is news.
package condition

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// maxMessage bounds a condition's message, in bytes. The note of a Kubernetes Event, which may repeat it, takes 1024.
const maxMessage = 1000

// Verdict is what a status says: whether all is well and, if not, why.
type Verdict struct {
	// Ready is what the condition Ready says.
	Ready bool

	// Stalled: nothing changes until somebody acts.
	Stalled bool

	// Reason is one of the reasons of package v1alpha1; Message says what holds and, where something is wrong, what to do.
	Reason, Message string

	// Dropped are the fields that could not be kept as Clerk sent them.
	Dropped []string
}

// Without is the verdict on an object that lacks some fields.
func (v Verdict) Without(dropped []string) Verdict {
	v.Dropped = dropped
	return v
}

// Conditions are the conditions of a verdict, and more; those that say the same as before keep the time of their transition.
func (v Verdict) Conditions(before []metav1.Condition, generation int64, more ...metav1.Condition) []metav1.Condition {
	wanted := append([]metav1.Condition{{
		Type: v1alpha1.ConditionReady, Status: StatusOf(v.Ready), Reason: v.Reason, Message: v.Message,
	}}, more...)
	if v.Stalled {
		wanted = append(wanted, metav1.Condition{
			Type: v1alpha1.ConditionStalled, Status: metav1.ConditionTrue, Reason: v.Reason, Message: v.Message,
		})
	}
	if len(v.Dropped) > 0 {
		wanted = append(wanted, droppedCondition(v.Dropped))
	}
	conditions := slices.Clone(before)
	Set(&conditions, generation, wanted...)
	if !v.Stalled {
		meta.RemoveStatusCondition(&conditions, v1alpha1.ConditionStalled)
	}
	if len(v.Dropped) == 0 {
		meta.RemoveStatusCondition(&conditions, v1alpha1.ConditionDataDropped)
	}
	return conditions
}

// Changed are the conditions of a verdict on a kind that says nothing of generations, and whether they say anything new. So a spec may
// change many times, as a user's does with every sign-in, and the status is written once.
func (v Verdict) Changed(before []metav1.Condition) ([]metav1.Condition, bool) {
	conditions := v.Conditions(before, 0)
	return conditions, !equality.Semantic.DeepEqual(before, conditions)
}

// Set sets conditions, as seen at a generation. A message that is too long is cut.
func Set(conditions *[]metav1.Condition, generation int64, wanted ...metav1.Condition) {
	for _, condition := range wanted {
		condition.ObservedGeneration = generation
		if len(condition.Message) > maxMessage {
			condition.Message = strings.ToValidUTF8(condition.Message[:maxMessage], "") + "…"
		}
		meta.SetStatusCondition(conditions, condition)
	}
}

func droppedCondition(fields []string) metav1.Condition {
	return metav1.Condition{
		Type: v1alpha1.ConditionDataDropped, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonFieldsOdd,
		Message: "left out, since of the wrong type, too long or too deep: " + strings.Join(fields, ", ") +
			": correct it in Clerk; until then expressions that read it fail",
	}
}

// StatusOf is the status of a condition that holds or does not.
func StatusOf(holds bool) metav1.ConditionStatus {
	if holds {
		return metav1.ConditionTrue
	}
	return metav1.ConditionFalse
}

// Configurations are conditions as server-side apply takes them.
func Configurations(conditions []metav1.Condition) []metav1ac.ConditionApplyConfiguration {
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

// IsReady tells whether an object's condition Ready is True, and its reason, "" where there is no such condition yet.
func IsReady(conditions []metav1.Condition) (ready bool, reason string) {
	condition := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	if condition == nil {
		return false, ""
	}
	return condition.Status == metav1.ConditionTrue, condition.Reason
}
