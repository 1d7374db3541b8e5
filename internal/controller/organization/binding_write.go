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

package organization

import (
	"context"
	"fmt"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/controller/write"
	"github.com/clerk-operator/clerk-operator/internal/tenant"
)

// bindingWrite is a RoleBinding on its way to what it should be.
type bindingWrite struct {
	namespace, doing string
	want             tenant.Binding

	// have is the RoleBinding as it is known; nil if there is none.
	have *rbacv1.RoleBinding

	// err and wasRight say what came of it: wasRight, that nothing had to be changed.
	err      error
	wasRight bool
}

func (e *enforcement) newBindingWrite(namespace string, want tenant.Binding) *bindingWrite {
	return &bindingWrite{
		namespace: namespace, want: want, have: e.intent.Existing(namespace, want.Name),
		doing: fmt.Sprintf("bind ClusterRole %s in %s by %s", want.ClusterRole, namespace, want.Name),
	}
}

// write makes a RoleBinding what it should be, and tells whether there is something new to look at.
func (e *enforcement) write(ctx context.Context, namespace string, want tenant.Binding) (wrote bool) {
	one := e.newBindingWrite(namespace, want)
	if e.failed[one.doing] {
		return false
	}
	e.send(ctx, one)
	return e.conclude(ctx, one)
}

// send makes the request. Several may be sent at a time.
func (e *enforcement) send(ctx context.Context, w *bindingWrite) {
	if w.have == nil {
		w.err = e.createBinding(ctx, w.namespace, w.want)
		return
	}
	changed := w.have.DeepCopy()
	w.err = e.patchBinding(ctx, changed, bindingChange(e.organization(), w.want))
	w.wasRight = changed.ResourceVersion == w.have.ResourceVersion
}

// conclude deals with what came of a write, and tells whether there is something new to look at.
func (e *enforcement) conclude(ctx context.Context, w *bindingWrite) (wrote bool) {
	want, err := w.want, w.err
	switch {
	case err == nil && w.wasRight:
		return false // the cache keeps it without its content, and will go on to: another look would find the same
	case err == nil:
		e.reportDrift(ctx, want.Name, w.namespace, "RoleBinding", want)
		e.markRight(want.Name, w.namespace, "RoleBinding", want)
		return true
	case apierrors.IsAlreadyExists(err):
		e.conflicts++
		return e.reread(ctx, &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: want.Name}}, w.doing)
	case w.have != nil && (apierrors.IsConflict(err) || apierrors.IsNotFound(err) && !isMissingClusterRole(err, want.ClusterRole)):
		return e.resolve(ctx, err, w.have, w.doing)
	}
	e.failed[w.doing] = true
	e.problems.Add(bindRefusal(err, want.ClusterRole, fmt.Sprintf("bind ClusterRole %s in %s", want.ClusterRole, w.namespace)))
	// Where the operator may no longer bind the ClusterRole, nobody can be taken out of a RoleBinding: it goes as a whole. Its other
	// subjects wait for the permission, rather than that somebody keeps access they lost.
	return apierrors.IsForbidden(err) && w.have != nil && losesSubject(w.have, want) && e.takeAway(ctx, w.have.DeepCopy())
}

func losesSubject(have *rbacv1.RoleBinding, want tenant.Binding) bool {
	return slices.ContainsFunc(have.Subjects, func(subject rbacv1.Subject) bool { return !slices.Contains(want.Subjects, subject.Name) })
}

func (e *enforcement) createBinding(ctx context.Context, namespace string, want tenant.Binding) error {
	organization := e.organization()
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: want.Name, Labels: tenant.Labels(organization), OwnerReferences: ownedBy(organization),
		},
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: want.ClusterRole},
		Subjects: subjectsNamed(want.Subjects),
	}
	err := e.Client.Create(ctx, binding, write.FieldOwner, client.DisableReadYourWritesConsistency)
	if err == nil {
		e.recent.put(organization.UID, binding)
	}
	return err
}

// bindingChange makes a RoleBinding that exists what it should be. A list is replaced as a whole.
func bindingChange(organization *v1alpha1.ClerkOrganization, want tenant.Binding) map[string]any {
	return map[string]any{
		"metadata": map[string]any{"labels": tenant.Labels(organization), "ownerReferences": ownedBy(organization)},
		"subjects": subjectsNamed(want.Subjects),
	}
}

func ownedBy(organization *v1alpha1.ClerkOrganization) []metav1.OwnerReference {
	return []metav1.OwnerReference{{
		APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.KindOrganization, Name: organization.Name, UID: organization.UID,
	}}
}

func subjectsNamed(names []string) []rbacv1.Subject {
	subjects := make([]rbacv1.Subject, len(names))
	for i, name := range names {
		subjects[i] = rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}
	}
	return subjects
}

// spare are places that nobody waits for: who finds none does without.
type spare chan struct{}

// take takes as many places as there are, and as are wanted. They are to be given back.
func (s spare) take(wanted int) (taken int, giveBack func()) {
	for taken < wanted {
		select {
		case s <- struct{}{}:
			taken++
		default:
			wanted = taken
		}
	}
	return taken, func() {
		for range taken {
			<-s
		}
	}
}
