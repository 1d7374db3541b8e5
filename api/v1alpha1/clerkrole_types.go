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
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ClerkRoleSpec is a role of organizations as Clerk says it is. It is written from verified events alone: the rules below make the API
// server itself refuse whatever is older than what it knows. Only what is known of the role's keys and its creation grows with late news
// too, so that every order of the events ends alike. A tombstone keeps just that, so that it is known which members' role is gone.
//
// +kubebuilder:validation:XValidation:rule="has(self.deletedAt) || has(self.key)",message="key is required unless the role is deleted"
// +kubebuilder:validation:XValidation:rule="!has(self.deletedAt) || !(has(self.updatedAt) || has(self.asOf) || has(self.name) || has(self.description) || has(self.permissions))",message="a tombstone keeps nothing but instance, id, the keys, createdAt and deletedAt"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.createdAt) || (has(self.createdAt) && self.createdAt <= oldSelf.createdAt)",fieldPath=".createdAt",reason=FieldValueForbidden,message="createdAt is kept: it neither goes up nor away"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.key) || has(self.keysDropped) || (has(self.key) && self.key == oldSelf.key) || (has(self.keys) && self.keys.exists(k, k.key == oldSelf.key))",fieldPath=".keys",reason=FieldValueForbidden,message="a key that changes is kept among keys"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.keys) || has(self.keysDropped) || (has(self.keys) && oldSelf.keys.all(o, self.keys.exists(k, k.key == o.key && k.firstSeen <= o.firstSeen && k.lastSeen >= o.lastSeen)))",fieldPath=".keys",reason=FieldValueForbidden,message="keys are kept, and their times only go apart"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.keysDropped) || has(self.keysDropped)",fieldPath=".keysDropped",reason=FieldValueForbidden,message="keysDropped stays: which keys the role had is known no longer"
// +kubebuilder:validation:XValidation:rule="!(has(self.keysDropped) && has(self.keys))",message="no keys are kept where keysDropped is set"
type ClerkRoleSpec struct {
	Entity `json:",inline"`

	// key is what memberships name the role by, such as org:admin. It can be changed in Clerk.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Key string `json:"key,omitempty"`

	// keys are all the keys that the role is known to have had, the present one among them, sorted. Members who carry one of them hold this
	// role, if it may have had the key when their membership last changed.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Keys []RoleKey `json:"keys,omitempty"`

	// keysDropped is true once the role has had more keys than are kept. Whoever carries any of them cannot be told from others then: the
	// role grants nothing, and neither does a key that no other role is known to have had. Make a new role in Clerk instead.
	// +optional
	// +kubebuilder:validation:Enum=true
	KeysDropped *bool `json:"keysDropped,omitempty"`

	// name is what people call the role.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Name string `json:"name,omitempty"`

	// description is what the application says of the role.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Description string `json:"description,omitempty"`

	// permissions are what the role allows. They are what every member with the role has, whatever their membership says.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=1000
	Permissions []RolePermission `json:"permissions,omitempty"`
}

// MaxRoleKeys is how many keys of a role are kept: more than anybody renames a role, and few enough for the rules above to compare.
const MaxRoleKeys = 64

// RoleKey is a key that a role had.
type RoleKey struct {
	// key that the role had.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Key string `json:"key,omitempty"`

	// firstSeen is the earliest time, by Clerk's clock, at which the role is known to have had the key. It only goes down.
	// +required
	FirstSeen *metav1.MicroTime `json:"firstSeen,omitempty"`

	// lastSeen is the latest such time. It only goes up. With the times of the other keys it tells the holders of this role from those of
	// another one that had the key before or got it later.
	// +required
	LastSeen *metav1.MicroTime `json:"lastSeen,omitempty"`
}

// SeenKeys are all the keys that a role is known to have had: those that are kept, and the one that it has by the time of its last change,
// or by that of its end.
func (s *ClerkRoleSpec) SeenKeys() []RoleKey {
	at := s.UpdatedAt
	if s.DeletedAt != nil {
		at = s.DeletedAt
	}
	keys := slices.Clone(s.Keys)
	if s.Key == "" || at == nil {
		return keys
	}
	i := slices.IndexFunc(keys, func(seen RoleKey) bool { return seen.Key == s.Key })
	switch {
	case i < 0:
		return append(keys, RoleKey{Key: s.Key, FirstSeen: at, LastSeen: at})
	case s.DeletedAt != nil: // which of its keys it had last is known by their times
	case keys[i].LastSeen.Before(at):
		keys[i].LastSeen = at
	}
	return keys
}

// RolePermission is a permission as a role tells of it. A ClerkPermission that is newer, or a tombstone, has precedence.
type RolePermission struct {
	// id is Clerk's id of the permission (perm_…).
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9]([A-Za-z0-9_]*[A-Za-z0-9])?$`
	ID string `json:"id,omitempty"`

	// key is the permission's name, such as org:posts:read.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Key string `json:"key,omitempty"`

	// updatedAt is when the permission itself last changed, as far as the role tells.
	// +optional
	UpdatedAt *metav1.MicroTime `json:"updatedAt,omitempty"`
}

// ClerkRoleStatus says what the operator makes of the role.
//
// +kubebuilder:validation:MinProperties=1
type ClerkRoleStatus struct {
	// conditions say how it stands: Ready, with a reason that says what it means for access. They are written when what they say changes,
	// not with every change of the spec.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// ClerkRole is a role of Clerk, mirrored: what its key is and which permissions it has.
// Its name is its ClerkInstance's, a full stop, and its Clerk id in
// lower case, with '-' for '_'.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=crole,categories=clerk
// +kubebuilder:selectablefield:JSONPath=`.spec.key`
// +kubebuilder:printcolumn:name="Key",type=string,JSONPath=`.spec.key`
// +kubebuilder:printcolumn:name="Display Name",type=string,JSONPath=`.spec.name`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="ID",type=string,priority=1,JSONPath=`.spec.id`
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type ClerkRole struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec is what Clerk says.
	// +required
	Spec ClerkRoleSpec `json:"spec,omitzero"`

	// status is what the operator did about it.
	// +optional
	Status ClerkRoleStatus `json:"status,omitzero"`
}

// ClerkRoleList is a list of ClerkRoles.
//
// +kubebuilder:object:root=true
type ClerkRoleList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []ClerkRole `json:"items"`
}
