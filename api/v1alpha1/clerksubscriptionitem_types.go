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

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// SubscriptionItemStatus is Clerk's word for how a subscription item stands. Clerk may add others: an item with such a one gives no plan.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=32
// +kubebuilder:validation:Pattern=`^[a-z][a-z_]*$`
type SubscriptionItemStatus string

const (
	// SubscriptionActive: the organization has the plan.
	SubscriptionActive SubscriptionItemStatus = "active"

	// SubscriptionPastDue: it has the plan, and a payment is overdue.
	SubscriptionPastDue SubscriptionItemStatus = "past_due"

	// SubscriptionCanceled: it has the plan until the end of the period.
	SubscriptionCanceled SubscriptionItemStatus = "canceled"

	// SubscriptionUpcoming: it will have the plan.
	SubscriptionUpcoming SubscriptionItemStatus = "upcoming"

	// SubscriptionIncomplete: somebody has to do something first.
	SubscriptionIncomplete SubscriptionItemStatus = "incomplete"
)

// ClerkSubscriptionItemSpec is an item of an organization's subscription as Clerk says it is: one plan for one span of time. It is written
// from verified events and lists alone: the rules below make the API server itself refuse whatever is older than what it knows. An item
// that has ended is a tombstone: it never begins again, since a new subscription has new items. Nothing is kept of who pays, how, and how
// much.
//
// +kubebuilder:validation:XValidation:rule="has(self.deletedAt) || (has(self.organizationID) && has(self.status))",message="organizationID and status are required unless the item has ended"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.organizationID) || !has(self.organizationID) || self.organizationID == oldSelf.organizationID",fieldPath=".organizationID",message="organizationID never changes"
// +kubebuilder:validation:XValidation:rule="!has(self.deletedAt) || !(has(self.updatedAt) || has(self.asOf) || has(self.createdAt) || has(self.status) || has(self.plan) || has(self.planID) || has(self.periodStart) || has(self.periodEnd) || has(self.seats) || has(self.droppedFields))",message="a tombstone keeps nothing but instance, the ids and deletedAt"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.deletedAt) || !has(self.deletedAt) || self.deletedAt >= oldSelf.deletedAt",fieldPath=".deletedAt",reason=FieldValueForbidden,message="deletedAt does not go down: the tombstone would be collected before its time"
type ClerkSubscriptionItemSpec struct {
	Entity `json:",inline"`

	// organizationID is Clerk's id of the organization that has the subscription. It never changes.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9]([A-Za-z0-9_]*[A-Za-z0-9])?$`
	OrganizationID string `json:"organizationID,omitempty"`

	// status is Clerk's word for how the item stands: active, past_due and canceled (until periodEnd) give the plan, others do not.
	// +optional
	Status SubscriptionItemStatus `json:"status,omitempty"`

	// plan is the plan's slug, such as pro.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Plan string `json:"plan,omitempty"`

	// planID is Clerk's id of the plan (cplan_…).
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9]([A-Za-z0-9_]*[A-Za-z0-9])?$`
	PlanID string `json:"planID,omitempty"`

	// periodStart is when the item's present period began or begins. Of several items that give a plan, the one counts that began last.
	// +optional
	PeriodStart *metav1.MicroTime `json:"periodStart,omitempty"`

	// periodEnd is when the present period ends. A canceled item gives its plan until then.
	// +optional
	PeriodEnd *metav1.MicroTime `json:"periodEnd,omitempty"`

	// seats is how many members the subscription is for; 0 means that there is no limit. It is absent where Clerk does not say.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Seats *int64 `json:"seats,omitempty"`

	// droppedFields are those fields of this spec that could not be kept as Clerk sent them, and so are empty. An expression that reads what
	// depends on one fails, and nobody is given anything by it.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	DroppedFields []string `json:"droppedFields,omitempty"`
}

// ClerkSubscriptionItemStatus says what the operator makes of the item.
//
// +kubebuilder:validation:MinProperties=1
type ClerkSubscriptionItemStatus struct {
	// conditions say how it stands: Ready, with a reason that says what it means. They are written when what they say changes, not with every
	// change of the spec.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// ClerkSubscriptionItem is an item of the subscription of an organization, mirrored from Clerk's billing, which Clerk calls experimental:
// which plan the organization has, and for how long. Users' own subscriptions are not mirrored.
// Its name is its ClerkInstance's, a full stop, and its Clerk id in
// lower case, with '-' for '_'.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=csubi,categories=clerk
// +kubebuilder:selectablefield:JSONPath=`.spec.organizationID`
// +kubebuilder:printcolumn:name="Organization",type=string,JSONPath=`.spec.organizationID`
// +kubebuilder:printcolumn:name="Plan",type=string,JSONPath=`.spec.plan`
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.spec.status`
// +kubebuilder:printcolumn:name="Period End",type=string,JSONPath=`.spec.periodEnd`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="ID",type=string,priority=1,JSONPath=`.spec.id`
// +kubebuilder:printcolumn:name="Seats",type=integer,priority=1,JSONPath=`.spec.seats`
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type ClerkSubscriptionItem struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec is what Clerk says.
	// +required
	Spec ClerkSubscriptionItemSpec `json:"spec,omitzero"`

	// status is what the operator did about it.
	// +optional
	Status ClerkSubscriptionItemStatus `json:"status,omitzero"`
}

// ClerkSubscriptionItemList is a list of ClerkSubscriptionItems.
//
// +kubebuilder:object:root=true
type ClerkSubscriptionItemList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []ClerkSubscriptionItem `json:"items"`
}
