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
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// The API server fills in defaults. What should be is compared with what it returns, so it has to have them too: without them
// every look would find a difference that is none, and every reconciliation would write.

// withQuotaDefaults returns a ResourceQuota's spec as the API server stores it.
func withQuotaDefaults(spec *corev1.ResourceQuotaSpec) *corev1.ResourceQuotaSpec {
	if spec == nil {
		return nil
	}
	spec = spec.DeepCopy()
	roundUp(spec.Hard)
	return spec
}

// withLimitDefaults returns a LimitRange's spec as the API server stores it: for containers, the default limit is the maximum, and the
// default request is the default limit, else the minimum.
func withLimitDefaults(spec *corev1.LimitRangeSpec) *corev1.LimitRangeSpec {
	if spec == nil {
		return nil
	}
	spec = spec.DeepCopy()
	for i := range spec.Limits {
		item := &spec.Limits[i]
		for _, list := range []corev1.ResourceList{item.Max, item.Min, item.Default, item.DefaultRequest, item.MaxLimitRequestRatio} {
			roundUp(list)
		}
		if item.Type == corev1.LimitTypeContainer {
			item.Default = fill(item.Default, item.Max)
			item.DefaultRequest = fill(fill(item.DefaultRequest, item.Default), item.Min)
		}
	}
	return spec
}

func fill(list, defaults corev1.ResourceList) corev1.ResourceList {
	for name, quantity := range defaults {
		if _, set := list[name]; set {
			continue
		}
		if list == nil {
			list = corev1.ResourceList{}
		}
		list[name] = quantity.DeepCopy()
	}
	return list
}

// roundUp does as the API server does with quantities below a thousandth.
func roundUp(list corev1.ResourceList) {
	for name, quantity := range list {
		quantity.RoundUp(resource.Milli)
		list[name] = quantity
	}
}

// withPolicyDefaults returns a NetworkPolicy's spec as the API server stores it: it is about ingress, and about egress where it has
// such rules; ports are TCP.
func withPolicyDefaults(spec networkingv1.NetworkPolicySpec) networkingv1.NetworkPolicySpec {
	spec = *spec.DeepCopy()
	if len(spec.PolicyTypes) == 0 {
		spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
		if len(spec.Egress) > 0 {
			spec.PolicyTypes = append(spec.PolicyTypes, networkingv1.PolicyTypeEgress)
		}
	}
	for _, rule := range spec.Ingress {
		setProtocol(rule.Ports)
	}
	for _, rule := range spec.Egress {
		setProtocol(rule.Ports)
	}
	return spec
}

func setProtocol(ports []networkingv1.NetworkPolicyPort) {
	for i := range ports {
		if ports[i].Protocol == nil {
			ports[i].Protocol = new(corev1.ProtocolTCP)
		}
	}
}
