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

package main

import (
	"context"
	"errors"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// provision carries out what makes a round's organizations, and says how long it took until every namespace had its three RoleBindings,
// by a watch of the benchmark's own.
func (b *bench) provision(ctx context.Context, round tenantRound, operations []operation) (time.Duration, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	all, err := b.watchBindings(ctx, round)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if _, err := perform(ctx, operations, provisioningAtATime); err != nil {
		return 0, err
	}
	select {
	case ended := <-all:
		if ended.IsZero() {
			return 0, errors.New("the watch on RoleBindings ended early")
		}
		return ended.Sub(began), nil
	case <-time.After(patience):
		return 0, errors.New("wait for the RoleBindings: they do not come")
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

// bindingChanges are the changes of RoleBindings from now on. Where the API server ends the watch, as it does with one that is too slow for
// it, it is taken up where it ended.
func (b *bench) bindingChanges(ctx context.Context) (watch.Interface, error) {
	bindings := b.kubernetes.RbacV1().RoleBindings("")
	now, err := bindings.List(ctx, metav1.ListOptions{Limit: 1})
	if err != nil {
		return nil, err
	}
	return watchtools.NewRetryWatcherWithContext(ctx, now.ResourceVersion, &cache.ListWatch{WatchFuncWithContext: bindings.Watch})
}

// watchBindings tells when every namespace of a round has three RoleBindings with a subject each.
func (b *bench) watchBindings(ctx context.Context, round tenantRound) (<-chan time.Time, error) {
	changes, err := b.bindingChanges(ctx)
	if err != nil {
		return nil, err
	}
	all := make(chan time.Time, 1)
	go func() {
		defer close(all)
		defer changes.Stop()
		prefix, missing := "org-"+round.group+"-", len(round.organizations)*len(grants)
		seen := map[string]bool{}
		for change := range changes.ResultChan() {
			binding, isBinding := change.Object.(*rbacv1.RoleBinding)
			if !isBinding || change.Type == watch.Deleted || !strings.HasPrefix(binding.Namespace, prefix) || len(binding.Subjects) != 1 {
				continue
			}
			if key := binding.Namespace + "/" + binding.Name; !seen[key] {
				seen[key] = true
				missing--
			}
			if missing == 0 {
				all <- time.Now()
				return
			}
		}
	}()
	return all, nil
}

// settle waits until the statuses of a round's organizations and members say that all is well, and nothing more is written.
func (b *bench) settle(ctx context.Context, round tenantRound) error {
	ready := func(conditions []metav1.Condition) bool {
		return meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionReady)
	}
	err := until(ctx, "every status is there", time.Second, func(ctx context.Context) (bool, error) {
		// Asking the API server for all objects costs it as much as writing some: it is asked when the operator has nothing left to do.
		now, err := b.metrics.read(ctx)
		if err != nil || now.isBusy() {
			return false, err
		}
		var organizations v1alpha1.ClerkOrganizationList
		var members v1alpha1.ClerkMemberList
		if err := errors.Join(b.administrator.List(ctx, &organizations), b.administrator.List(ctx, &members)); err != nil {
			return false, err
		}
		var well int
		for i := range organizations.Items {
			o := &organizations.Items[i]
			if strings.HasPrefix(o.Spec.Slug, round.group+"-") && ready(o.Status.Conditions) &&
				o.Status.Members != nil && int(*o.Status.Members) == len(grants) {
				well++
			}
		}
		expected := map[string]bool{}
		for _, ofOne := range round.members {
			for _, m := range ofOne {
				expected[m.ID] = true
			}
		}
		for i := range members.Items {
			if m := &members.Items[i]; expected[m.Spec.ID] && ready(m.Status.Conditions) && len(m.Status.Bindings) == 1 {
				well++
			}
		}
		return well == len(round.organizations)+len(expected), nil
	})
	if err != nil {
		return err
	}
	select {
	case <-time.After(quiet):
	case <-ctx.Done():
	}
	return ctx.Err()
}

// housekeepingDone waits until the controller manager has put into every namespace what it puts into every namespace, so that the work
// that one turn left behind is not done during the next.
func (b *bench) housekeepingDone(ctx context.Context) error {
	return until(ctx, "every namespace is furnished", 500*time.Millisecond, func(ctx context.Context) (bool, error) {
		count := func(kind string, options ...client.ListOption) (int, error) {
			var list metav1.PartialObjectMetadataList
			list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind(kind))
			err := b.administrator.List(ctx, &list, options...)
			return len(list.Items), err
		}
		namespaces, err := count("NamespaceList")
		if err != nil {
			return false, err
		}
		accounts, err := count("ServiceAccountList", client.MatchingFields{"metadata.name": "default"})
		if err != nil {
			return false, err
		}
		certificates, err := count("ConfigMapList", client.MatchingFields{"metadata.name": "kube-root-ca.crt"})
		return accounts >= namespaces && certificates >= namespaces, err
	})
}
