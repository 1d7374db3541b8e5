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
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// A ServiceAccount is made again in steps, each of which can be the last before a crash: a copy of another name keeps what it is, the
// ServiceAccount is deleted, it is made from the copy, the copy is deleted. Whoever finds a copy goes on with that.

// recycler makes ServiceAccounts again. It reads from the API server and writes there; the cache holds no ServiceAccount.
type recycler struct{ client client.Client }

func newRecycler(manager ctrl.Manager) (recycler, error) {
	direct, err := client.New(manager.GetConfig(), client.Options{
		HTTPClient: manager.GetHTTPClient(), Scheme: manager.GetScheme(), Mapper: manager.GetRESTMapper(),
	})
	if err != nil {
		return recycler{}, fmt.Errorf("make a client for ServiceAccounts: %w", err)
	}
	return recycler{direct}, nil
}

// recyclePage makes some of a namespace's ServiceAccounts again that were there at a time, and says where it goes on; "" at the end. Those
// made later have no token that somebody may have who lost access before.
func (r recycler) recyclePage(ctx context.Context, namespace, page string, until time.Time) (made int, next string, err error) {
	ctx, cancel := context.WithTimeout(ctx, deletionTimeout)
	defer cancel()
	var list corev1.ServiceAccountList
	err = r.client.List(ctx, &list, client.InNamespace(namespace), client.Limit(sweepPage), client.Continue(page))
	if err != nil {
		return 0, "", err
	}
	for at := range list.Items {
		account := &list.Items[at]
		one := r.recycle
		switch {
		case account.Labels[v1alpha1.RecycledLabel] != "":
			one = r.finish
		case account.CreationTimestamp.After(until):
			continue
		}
		if failed := one(ctx, account); failed != nil {
			err = errors.Join(err, failed)
			continue
		}
		made++
	}
	return made, list.Continue, err
}

// recycle makes a ServiceAccount again.
func (r recycler) recycle(ctx context.Context, account *corev1.ServiceAccount) error {
	kept := copyOf(account)
	kept.Name = copyName(account)
	kept.Labels[v1alpha1.RecycledLabel] = v1alpha1.ManagedBy
	kept.Annotations[v1alpha1.RecycledAnnotation] = account.Name + "/" + string(account.UID)
	if err := r.client.Create(ctx, kept); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("keep what a ServiceAccount is: %w", err)
	}
	return r.finish(ctx, kept)
}

// finish deletes the ServiceAccount that a copy is of, and makes it again. What is no copy by its name is none: whoever may make
// ServiceAccounts gets no other one deleted by it.
func (r recycler) finish(ctx context.Context, kept *corev1.ServiceAccount) error {
	name, uid, _ := strings.Cut(kept.Annotations[v1alpha1.RecycledAnnotation], "/")
	original := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: kept.Namespace, Name: name, UID: types.UID(uid)}}
	if name == "" || kept.Name != copyName(original) {
		return nil
	}
	if err := r.end(ctx, original); err != nil {
		return fmt.Errorf("end the tokens of a ServiceAccount: %w", err)
	}
	again := copyOf(kept)
	again.Name = name
	delete(again.Labels, v1alpha1.RecycledLabel)
	delete(again.Annotations, v1alpha1.RecycledAnnotation)
	err := r.client.Create(ctx, again)
	if apierrors.IsAlreadyExists(err) { // of default, the controller manager makes a new one at once
		err = r.fill(ctx, again)
	}
	if err != nil {
		return fmt.Errorf("make a ServiceAccount again: %w", err)
	}
	return client.IgnoreNotFound(r.client.Delete(ctx, kept))
}

// end deletes a ServiceAccount, also one that a finalizer would keep: until it is gone, another one of its name cannot be made.
func (r recycler) end(ctx context.Context, original *corev1.ServiceAccount) error {
	same := client.Preconditions{UID: &original.UID}
	var left metav1.PartialObjectMetadata
	left.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ServiceAccount"))
	err := r.client.Delete(ctx, original, same)
	if err == nil {
		err = r.client.Get(ctx, client.ObjectKeyFromObject(original), &left)
	}
	switch {
	case apierrors.IsNotFound(err), apierrors.IsConflict(err): // it is gone
		return nil
	case err != nil || left.UID != original.UID:
		return err
	}
	patch := fmt.Appendf(nil, `{"metadata":{"uid":%q,"finalizers":null}}`, original.UID)
	err = r.client.Patch(ctx, original, client.RawPatch(types.MergePatchType, patch))
	if apierrors.IsConflict(err) {
		return nil
	}
	return client.IgnoreNotFound(err)
}

// fill gives a ServiceAccount that somebody made again already what it had before.
func (r recycler) fill(ctx context.Context, again *corev1.ServiceAccount) error {
	var made corev1.ServiceAccount
	if err := r.client.Get(ctx, client.ObjectKeyFromObject(again), &made); err != nil {
		return err
	}
	before := made.DeepCopy()
	made.Labels, made.Annotations = merged(made.Labels, again.Labels), merged(made.Annotations, again.Annotations)
	made.Secrets, made.ImagePullSecrets = again.Secrets, again.ImagePullSecrets
	made.AutomountServiceAccountToken = again.AutomountServiceAccountToken
	return r.client.Patch(ctx, &made, client.MergeFrom(before))
}

func merged(into, from map[string]string) map[string]string {
	all := maps.Clone(into)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, from)
	return all
}

// copyOf is what of a ServiceAccount another one can have.
func copyOf(account *corev1.ServiceAccount) *corev1.ServiceAccount {
	owners := make([]metav1.OwnerReference, len(account.OwnerReferences))
	for at, owner := range account.OwnerReferences {
		owner.BlockOwnerDeletion = nil // the operator need not be allowed that
		owners[at] = owner
	}
	return &corev1.ServiceAccount{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: account.Namespace, OwnerReferences: owners,
			Labels: merged(nil, account.Labels), Annotations: merged(nil, account.Annotations),
		},
		Secrets: account.Secrets, ImagePullSecrets: account.ImagePullSecrets,
		AutomountServiceAccountToken: account.AutomountServiceAccountToken,
	}
}

// copyName is the name of a ServiceAccount's copy.
func copyName(account *corev1.ServiceAccount) string {
	sum := fnv.New64a()
	_, _ = fmt.Fprintf(sum, "%s/%s", account.Name, account.UID)
	return fmt.Sprintf("clerk-operator-recycled-%016x", sum.Sum64())
}
