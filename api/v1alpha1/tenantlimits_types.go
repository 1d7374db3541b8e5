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
	"encoding/json"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TenantQuantity is a quantity of Kubernetes, such as 10, 500m or 2Gi, or text with expressions in ${…} that expands to one of up to 64
// characters.
//
// +kubebuilder:validation:Type=""
// +kubebuilder:validation:XIntOrString
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=1024
// +kubebuilder:validation:Pattern=`^(\+?([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,2})?|(.|\n)*\$\{(.|\n)*)$`
type TenantQuantity string

// UnmarshalJSON takes whatever there is: what is no quantity is found when the class is looked at, and keeps no other class from being
// read.
func (q *TenantQuantity) UnmarshalJSON(content []byte) error {
	*q = TenantQuantity(written(content))
	return nil
}

// TenantPort is a port: a number, a name, or text with expressions in ${…} that expands to one of these.
//
// +kubebuilder:validation:Type=""
// +kubebuilder:validation:XIntOrString
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=1024
// +kubebuilder:validation:Pattern=`^([a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?|(.|\n)*\$\{(.|\n)*)$`
type TenantPort string

// UnmarshalJSON takes whatever there is: what is no port is found when the class is looked at, and keeps no other class from being read.
func (p *TenantPort) UnmarshalJSON(content []byte) error {
	*p = TenantPort(written(content))
	return nil
}

// written is a text, or what else there is as it is written.
func written(content []byte) string {
	var text string
	if json.Unmarshal(content, &text) == nil {
		return text
	}
	return string(content)
}

// TenantResourceQuota is the spec of a ResourceQuota, whose quantities may hold expressions.
type TenantResourceQuota struct {
	// hard is how much of each resource the namespace may use, for example pods: 10, or
	// pods: ${organization.plan == "pro" ? "100" : "10"}. Where an expression fails for an organization, or gives no
	// quantity, the organization says so and keeps the ResourceQuota that it has.
	// +optional
	// +kubebuilder:validation:MaxProperties=4096
	Hard map[corev1.ResourceName]TenantQuantity `json:"hard,omitempty"`

	// scopes are those that an object has to be in to count. Without any, all objects count.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Scopes []corev1.ResourceQuotaScope `json:"scopes,omitempty"`

	// scopeSelector selects by scopes and their values, as PriorityClass in (high).
	// +optional
	ScopeSelector *corev1.ScopeSelector `json:"scopeSelector,omitempty"`
}

// TenantLimitRange is the spec of a LimitRange, whose quantities may hold expressions.
type TenantLimitRange struct {
	// limits are those that are enforced.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=4096
	Limits []TenantLimitRangeItem `json:"limits,omitzero"`
}

// TenantLimitRangeItem is the limits of one kind of thing. Quantities may hold expressions in ${…}.
type TenantLimitRangeItem struct {
	// type of what is limited: Pod, Container or PersistentVolumeClaim.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=317
	Type string `json:"type,omitempty"`

	// max is the most of each resource.
	// +optional
	// +kubebuilder:validation:MaxProperties=4096
	Max map[corev1.ResourceName]TenantQuantity `json:"max,omitempty"`

	// min is the least of each resource.
	// +optional
	// +kubebuilder:validation:MaxProperties=4096
	Min map[corev1.ResourceName]TenantQuantity `json:"min,omitempty"`

	// default is the limit of a container that has none.
	// +optional
	// +kubebuilder:validation:MaxProperties=4096
	Default map[corev1.ResourceName]TenantQuantity `json:"default,omitempty"`

	// defaultRequest is the request of a container that has none.
	// +optional
	// +kubebuilder:validation:MaxProperties=4096
	DefaultRequest map[corev1.ResourceName]TenantQuantity `json:"defaultRequest,omitempty"`

	// maxLimitRequestRatio is how many times the request the limit may be.
	// +optional
	// +kubebuilder:validation:MaxProperties=4096
	MaxLimitRequestRatio map[corev1.ResourceName]TenantQuantity `json:"maxLimitRequestRatio,omitempty"`
}

// TenantNetworkPolicySpec is the spec of a NetworkPolicy, whose strings and ports may hold expressions.
type TenantNetworkPolicySpec struct {
	// podSelector selects the pods that the policy is about; all of the namespace when it is empty.
	// +optional
	PodSelector metav1.LabelSelector `json:"podSelector,omitzero"`

	// ingress is what may come in. Nothing may, where it is empty and policyTypes has Ingress or nothing.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=4096
	Ingress []TenantIngressRule `json:"ingress,omitempty"`

	// egress is what may go out. Nothing may, where it is empty and policyTypes has Egress.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=4096
	Egress []TenantEgressRule `json:"egress,omitempty"`

	// policyTypes are Ingress, Egress or both. By default Ingress, and Egress where egress has a rule.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	PolicyTypes []networkingv1.PolicyType `json:"policyTypes,omitempty"`
}

// TenantIngressRule is what may come in: from one of the peers, to one of the ports.
type TenantIngressRule struct {
	// ports that may be reached; all when it is empty.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=4096
	Ports []TenantPolicyPort `json:"ports,omitempty"`

	// from is who may reach them; everybody when it is empty.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=4096
	From []networkingv1.NetworkPolicyPeer `json:"from,omitempty"`
}

// TenantEgressRule is what may go out: to one of the peers, at one of the ports.
type TenantEgressRule struct {
	// ports that may be reached; all when it is empty.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=4096
	Ports []TenantPolicyPort `json:"ports,omitempty"`

	// to is who may be reached; everybody when it is empty.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=4096
	To []networkingv1.NetworkPolicyPeer `json:"to,omitempty"`
}

// TenantPolicyPort is a port of a NetworkPolicy, or several.
type TenantPolicyPort struct {
	// protocol is TCP (the default), UDP or SCTP.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Protocol string `json:"protocol,omitempty"`

	// port is a number from 1 to 65535 or a port's name; all ports when it is absent. It may hold an expression in ${…}.
	// +optional
	Port TenantPort `json:"port,omitempty"`

	// endPort makes it all ports from port to this one, which is a number. It may hold an expression in ${…}.
	// +optional
	EndPort TenantPort `json:"endPort,omitempty"`
}
