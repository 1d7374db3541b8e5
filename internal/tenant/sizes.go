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

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

// What the operator keeps in a namespace has limits: it is held in memory for each, and members write these kinds too. What is larger is
// never the operator's, so a class that asks for it is refused.
const (
	// maxPolicyBytes bounds a NetworkPolicy, a ResourceQuota and a LimitRange, encoded: some hundred rules, and far more than any in use.
	maxPolicyBytes = 32 << 10

	// maxPolicyElements bounds their parts. An empty rule has 2 bytes in a request and 48 in memory.
	maxPolicyElements = 1024
)

// CheckPolicySize says what is wrong with the size of a NetworkPolicy.
func CheckPolicySize(spec *networkingv1.NetworkPolicySpec) error {
	elements := 0
	for i := range spec.Ingress {
		elements += 1 + len(spec.Ingress[i].From) + len(spec.Ingress[i].Ports)
	}
	for i := range spec.Egress {
		elements += 1 + len(spec.Egress[i].To) + len(spec.Egress[i].Ports)
	}
	return checkSize(spec.Size(), elements)
}

// CheckQuotaSize says what is wrong with the size of a ResourceQuota.
func CheckQuotaSize(spec *corev1.ResourceQuotaSpec) error {
	return checkSize(spec.Size(), len(spec.Hard)+len(spec.Scopes))
}

// CheckLimitsSize says what is wrong with the size of a LimitRange.
func CheckLimitsSize(spec *corev1.LimitRangeSpec) error {
	return checkSize(spec.Size(), len(spec.Limits))
}

func checkSize(bytes, elements int) error {
	if bytes > maxPolicyBytes || elements > maxPolicyElements {
		return fmt.Errorf("it has %d bytes and %d rules, peers, ports or limits: at most %d and %d are allowed",
			bytes, elements, maxPolicyBytes, maxPolicyElements)
	}
	return nil
}
