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
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// kubePrefix begins the names that Kubernetes keeps for itself.
const kubePrefix = "kube-"

// Protected tells whether a namespace is never an organization's, whatever a class or a label says.
func Protected(name, operatorNamespace string) bool {
	return name == metav1.NamespaceDefault || name == operatorNamespace || strings.HasPrefix(name, kubePrefix)
}

// CheckName says what keeps a name from being that of an organization's namespace; nil if nothing does.
func CheckName(name, operatorNamespace string) error {
	switch {
	case Protected(name, operatorNamespace), name+"-" == kubePrefix: // with a suffix, "kube" would be one of Kubernetes' own
		return fmt.Errorf("the namespace %q is never an organization's: change the name in the TenantClass", name)
	case len(name) > maxLabel:
		return fmt.Errorf("the namespace name %q is over %d characters long: shorten it in the TenantClass", name, maxLabel)
	case name == "" || name[0] < 'a' || name[0] > 'z':
		return fmt.Errorf("the namespace name %q does not begin with a letter: give it a prefix in the TenantClass", name)
	}
	if problems := validation.IsDNS1123Label(name); len(problems) > 0 {
		return fmt.Errorf("%q is no namespace name: change it in the TenantClass: %s", name, strings.Join(problems, "; "))
	}
	return nil
}

// suffixLength is the length of the hash that tells apart two organizations of the same name, in hexadecimal digits: 32 bits, and
// the id's owner alone would suffer from a collision, which the API server refuses.
const suffixLength = 8

// Candidates are the names that a namespace may get, in the order in which they are tried: its own; that with a hash of the organization's
// id, where somebody else has it; and that with a hash of id and template, where another namespace of the same organization has both, as
// can come of slugs that change.
func (n *Namespace) Candidates(organizationID string) []string {
	return slices.Compact([]string{
		n.Name, AlternativeName(n.Name, organizationID), AlternativeName(n.Name, organizationID+" "+n.Template),
	})
}

// fittingName is the name, or where it is too long for a namespace what is left of it with a hash of whose it is: a handle may have all of
// the 63 characters that a prefix before it would need.
func fittingName(name, owner string) string {
	if len(name) <= maxLabel {
		return name
	}
	return AlternativeName(name, owner)
}

// AlternativeName is the name with a short hash of whose it is.
func AlternativeName(name, owner string) string {
	sum := sha256.Sum256([]byte(owner))
	suffix := "-" + hex.EncodeToString(sum[:])[:suffixLength]
	if len(name)+len(suffix) > maxLabel {
		name = strings.TrimRight(name[:maxLabel-len(suffix)], "-")
	}
	return name + suffix
}

// Assign finds for each wanted namespace the existing one that fills it, nil where it has yet to be made, and returns the rest.
// existing are the organization's namespaces, in any order. A namespace fills the entry whose template it was made from; else
// the one whose name it has, with or without the hash; and if in the end one entry and one namespace are left over, they belong
// together: so an edited template, another class or a changed slug moves nobody. That last rule is not for the namespaces in released:
// what was given up long ago is not handed to an entry that has nothing to do with it.
func Assign(wanted []Namespace, existing []*corev1.Namespace, released []string) (filled, rest []*corev1.Namespace) {
	filled, rest = make([]*corev1.Namespace, len(wanted)), slices.Clone(existing)
	slices.SortFunc(rest, olderFirst)
	take := func(fits func(Namespace, *corev1.Namespace) bool) {
		for i := range wanted {
			if filled[i] != nil {
				continue
			}
			at := slices.IndexFunc(rest, func(namespace *corev1.Namespace) bool { return fits(wanted[i], namespace) })
			if at >= 0 {
				filled[i] = rest[at]
				rest = slices.Delete(rest, at, at+1)
			}
		}
	}
	take(func(want Namespace, have *corev1.Namespace) bool {
		return have.Annotations[v1alpha1.NameTemplateAnnotation] == want.Template
	})
	take(func(want Namespace, have *corev1.Namespace) bool { return have.Name == want.Name })
	take(func(want Namespace, have *corev1.Namespace) bool {
		return slices.Contains(want.Candidates(have.Labels[v1alpha1.OrganizationIDLabel])[1:], have.Name)
	})
	if len(rest) == 1 && count(filled, nil) == 1 && !slices.Contains(released, rest[0].Name) {
		take(func(Namespace, *corev1.Namespace) bool { return true })
	}
	return filled, rest
}

func olderFirst(a, b *corev1.Namespace) int {
	if order := a.CreationTimestamp.Compare(b.CreationTimestamp.Time); order != 0 {
		return order
	}
	return strings.Compare(a.Name, b.Name)
}

func count[T comparable](values []T, value T) int {
	n := 0
	for _, v := range values {
		if v == value {
			n++
		}
	}
	return n
}
