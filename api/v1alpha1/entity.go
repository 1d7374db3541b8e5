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
	"k8s.io/apimachinery/pkg/runtime"
)

// Entity is what every mirrored object says of the entity of Clerk that it mirrors: which one it is, and of when
// that is. The rules below make the API server itself refuse whatever is older than what it knows.
//
// +kubebuilder:validation:XValidation:rule="has(self.deletedAt) || has(self.updatedAt)",fieldPath=".updatedAt",reason=FieldValueRequired,message="updatedAt is required of what is not deleted"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.deletedAt) || (has(self.deletedAt) && self.deletedAt <= oldSelf.deletedAt)",fieldPath=".deletedAt",reason=FieldValueForbidden,message="it is deleted for good: deletedAt neither goes up nor away"
// +kubebuilder:validation:XValidation:rule="has(self.deletedAt) || !has(oldSelf.updatedAt) || (has(self.updatedAt) && self.updatedAt >= oldSelf.updatedAt)",fieldPath=".updatedAt",reason=FieldValueForbidden,message="updatedAt never goes back: this is older than what is known"
// +kubebuilder:validation:XValidation:rule="has(self.deletedAt) || !has(oldSelf.updatedAt) || !has(self.updatedAt) || self.updatedAt > oldSelf.updatedAt || !has(oldSelf.asOf) || (has(self.asOf) && self.asOf >= oldSelf.asOf)",fieldPath=".asOf",reason=FieldValueForbidden,message="asOf does not go back while updatedAt stays: this is older than what is known"
type Entity struct {
	// instance is the ClerkInstance that it was heard from. It never changes.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="instance never changes: it belongs to another ClerkInstance"
	Instance string `json:"instance,omitempty"`

	// id is Clerk's id (org_…, orgmem_…, user_…, role_…, perm_…, csub_item_…, orgdmn_…), in its own case. It never changes.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9]([A-Za-z0-9_]*[A-Za-z0-9])?$`
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="id never changes: another one has this object's name"
	ID string `json:"id,omitempty"`

	// createdAt is when it was made, by Clerk's clock.
	// +optional
	CreatedAt *metav1.MicroTime `json:"createdAt,omitempty"`

	// updatedAt is when it last changed, by Clerk's clock. It never goes back.
	// +optional
	UpdatedAt *metav1.MicroTime `json:"updatedAt,omitempty"`

	// asOf is when Clerk said all this: the time of the event, or when the list was asked for. Of two states with the same updatedAt it tells
	// the newer one. A list that says nothing new does not move it.
	// +optional
	AsOf *metav1.MicroTime `json:"asOf,omitempty"`

	// deletedAt is when it was deleted, by Clerk's clock. Once set, it stays: this object is then a tombstone, which keeps late
	// deliveries from bringing it back, and with it the access that it gave.
	// +optional
	DeletedAt *metav1.MicroTime `json:"deletedAt,omitempty"`
}

// The kinds of mirrored objects.
const (
	KindOrganization     = "ClerkOrganization"
	KindMember           = "ClerkMember"
	KindUser             = "ClerkUser"
	KindRole             = "ClerkRole"
	KindPermission       = "ClerkPermission"
	KindSubscriptionItem = "ClerkSubscriptionItem"
	KindDomain           = "ClerkOrganizationDomain"
)

// MirroredKinds are all of them.
func MirroredKinds() []string {
	return []string{KindOrganization, KindMember, KindUser, KindRole, KindPermission, KindSubscriptionItem, KindDomain}
}

// Mirrored is an object that mirrors an entity of Clerk.
//
// +kubebuilder:object:generate=false
type Mirrored interface {
	metav1.Object
	runtime.Object

	// GetEntity is what the object says of which entity it is, and of when. What is changed of it, changes in the object.
	GetEntity() *Entity

	// GetConditions are those of the object's status.
	GetConditions() []metav1.Condition
}

// GetEntity implements Mirrored.
func (o *ClerkOrganization) GetEntity() *Entity { return &o.Spec.Entity }

// GetConditions implements Mirrored.
func (o *ClerkOrganization) GetConditions() []metav1.Condition { return o.Status.Conditions }

// GetEntity implements Mirrored.
func (m *ClerkMember) GetEntity() *Entity { return &m.Spec.Entity }

// GetConditions implements Mirrored.
func (m *ClerkMember) GetConditions() []metav1.Condition { return m.Status.Conditions }

// GetEntity implements Mirrored.
func (u *ClerkUser) GetEntity() *Entity { return &u.Spec.Entity }

// GetConditions implements Mirrored.
func (u *ClerkUser) GetConditions() []metav1.Condition { return u.Status.Conditions }

// GetEntity implements Mirrored.
func (r *ClerkRole) GetEntity() *Entity { return &r.Spec.Entity }

// GetConditions implements Mirrored.
func (r *ClerkRole) GetConditions() []metav1.Condition { return r.Status.Conditions }

// GetEntity implements Mirrored.
func (p *ClerkPermission) GetEntity() *Entity { return &p.Spec.Entity }

// GetConditions implements Mirrored.
func (p *ClerkPermission) GetConditions() []metav1.Condition { return p.Status.Conditions }

// GetEntity implements Mirrored.
func (i *ClerkSubscriptionItem) GetEntity() *Entity { return &i.Spec.Entity }

// GetConditions implements Mirrored.
func (i *ClerkSubscriptionItem) GetConditions() []metav1.Condition { return i.Status.Conditions }

// GetEntity implements Mirrored.
func (d *ClerkOrganizationDomain) GetEntity() *Entity { return &d.Spec.Entity }

// GetConditions implements Mirrored.
func (d *ClerkOrganizationDomain) GetConditions() []metav1.Condition { return d.Status.Conditions }
