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
	"k8s.io/apimachinery/pkg/util/wait"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// A ServiceAccount is made again in steps, each of which can be the last before a crash: a copy of another name keeps what it is, the
// ServiceAccount is deleted, it is made from the copy, the copy is deleted. Whoever finds a copy goes on with that.

// recycler makes ServiceAccounts again. It reads from the API server and writes there; the cache holds no ServiceAccount.
type recycler struct {
	client client.Client
	now    func() time.Time
}

func newRecycler(manager ctrl.Manager, now func() time.Time) (recycler, error) {
	direct, err := client.New(manager.GetConfig(), client.Options{
		HTTPClient: manager.GetHTTPClient(), Scheme: manager.GetScheme(), Mapper: manager.GetRESTMapper(),
	})
	if err != nil {
		return recycler{}, fmt.Errorf("make a client for ServiceAccounts: %w", err)
	}
	return recycler{direct, now}, nil
}

// quotaPause is how long a quota is waited for at a time.
const quotaPause = 200 * time.Millisecond

// leavingMargin is added to when access ended, to compare it with the API server's clock.
const leavingMargin = time.Minute

// recycling is a ServiceAccount that is to be made again, and how.
type recycling struct {
	account *corev1.ServiceAccount
	how     func(context.Context, *corev1.ServiceAccount) error
}

// due are those of a page of a namespace's ServiceAccounts that somebody may have a token of who had access until a time, and where it goes
// on; "" at the end.
func (r recycler) due(ctx context.Context, namespace, page string, left time.Time) (due []recycling, next string, err error) {
	var list corev1.ServiceAccountList
	err = r.client.List(ctx, &list, client.InNamespace(namespace), client.Limit(sweepPage), client.Continue(page))
	if err != nil {
		return nil, "", err
	}
	for at := range list.Items {
		account := &list.Items[at]
		switch {
		case account.DeletionTimestamp != nil: // somebody deleted it: no more than a finalizer keeps it, and its tokens
			due = append(due, recycling{account, r.end})
		case account.Labels[v1alpha1.RecycledLabel] != "":
			due = append(due, recycling{account, r.finish})
		case !account.CreationTimestamp.After(left.Add(leavingMargin)) && !isRecycledSince(account, left):
			due = append(due, recycling{account, r.recycle})
		}
	}
	return due, list.Continue, nil
}

// makeAll makes ServiceAccounts again, and tells how many it could.
func (r recycler) makeAll(ctx context.Context, due []recycling) (made int, err error) {
	for _, one := range due {
		if failed := r.whole(ctx, one); failed != nil {
			err = errors.Join(err, failed)
			continue
		}
		made++
	}
	return made, err
}

// whole does so with one to its end, also where the operator is to end meanwhile, but not for long.
func (r recycler) whole(ctx context.Context, one recycling) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deletionTimeout)
	defer cancel()
	return one.how(ctx, one.account)
}

// isRecycledSince tells whether a ServiceAccount was made again after a time.
func isRecycledSince(account *corev1.ServiceAccount, left time.Time) bool {
	at, err := time.Parse(time.RFC3339Nano, account.Annotations[v1alpha1.RecycledAtAnnotation])
	return err == nil && at.After(left)
}

// recycle makes a ServiceAccount again. Where no copy can be kept, since it is too large, a quota leaves no room or something else has the
// copy's name, its tokens end all the same: whoever made it so would keep them.
func (r recycler) recycle(ctx context.Context, account *corev1.ServiceAccount) error {
	kept := copyOf(account)
	kept.Name = copyName(account)
	kept.Labels[v1alpha1.RecycledLabel] = v1alpha1.ManagedBy
	kept.Annotations[v1alpha1.RecycledAnnotation] = account.Name + "/" + string(account.UID)
	err := r.client.Create(ctx, kept)
	switch {
	case apierrors.IsAlreadyExists(err):
		if err := r.client.Get(ctx, client.ObjectKeyFromObject(kept), kept); err != nil {
			return fmt.Errorf("look at the copy of a ServiceAccount: %w", err)
		}
		if !isCopyOf(kept, account) {
			return r.recycleWithoutCopy(ctx, account)
		}
	case isTooLarge(err), isOverQuota(err):
		return r.recycleWithoutCopy(ctx, account)
	case err != nil:
		return fmt.Errorf("keep what a ServiceAccount is: %w", err)
	}
	return r.finish(ctx, kept)
}

func (r recycler) recycleWithoutCopy(ctx context.Context, account *corev1.ServiceAccount) error {
	if err := r.end(ctx, account); err != nil {
		return fmt.Errorf("end the tokens of a ServiceAccount: %w", err)
	}
	return r.makeAgain(ctx, account)
}

func isTooLarge(err error) bool {
	return apierrors.IsInvalid(err) || apierrors.IsRequestEntityTooLargeError(err)
}

func isOverQuota(err error) bool {
	return apierrors.IsForbidden(err) && strings.Contains(err.Error(), "exceeded quota")
}

// isCopyOf tells whether a ServiceAccount is the copy of another one.
func isCopyOf(kept, original *corev1.ServiceAccount) bool {
	return kept.Labels[v1alpha1.RecycledLabel] == v1alpha1.ManagedBy && kept.Name == copyName(original) &&
		kept.Annotations[v1alpha1.RecycledAnnotation] == original.Name+"/"+string(original.UID)
}

// finish deletes the ServiceAccount that a copy is of, and makes it again. What is no copy by its label and name is none: whoever may make
// ServiceAccounts gets no other one deleted by it.
func (r recycler) finish(ctx context.Context, kept *corev1.ServiceAccount) error {
	name, uid, _ := strings.Cut(kept.Annotations[v1alpha1.RecycledAnnotation], "/")
	original := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: kept.Namespace, Name: name, UID: types.UID(uid)}}
	if !isCopyOf(kept, original) {
		return errors.New("what has the label of a copy of a ServiceAccount is none")
	}
	if err := r.end(ctx, original); err != nil {
		return fmt.Errorf("end the tokens of a ServiceAccount: %w", err)
	}
	again := copyOf(kept)
	again.Name = name
	delete(again.Labels, v1alpha1.RecycledLabel)
	delete(again.Annotations, v1alpha1.RecycledAnnotation)
	if err := r.makeAgain(ctx, again); err != nil {
		return err
	}
	return r.end(ctx, kept)
}

// makeAgain makes what a ServiceAccount was, once it is gone.
func (r recycler) makeAgain(ctx context.Context, was *corev1.ServiceAccount) error {
	again := copyOf(was)
	again.Name = was.Name
	again.Annotations[v1alpha1.RecycledAtAnnotation] = r.now().UTC().Format(time.RFC3339Nano)
	err := r.create(ctx, again)
	if isTooLarge(err) { // somebody left no room for the annotation
		maps.DeleteFunc(again.Annotations, func(key, _ string) bool {
			return key != v1alpha1.RecycledAtAnnotation && key != v1alpha1.CreatedByAnnotation
		})
		err = r.create(ctx, again)
	}
	if apierrors.IsAlreadyExists(err) { // of default, the controller manager makes a new one at once
		err = r.fill(ctx, again)
	}
	if err != nil {
		return fmt.Errorf("make a ServiceAccount again: %w", err)
	}
	return nil
}

// create waits for a quota to notice that a ServiceAccount is gone.
func (r recycler) create(ctx context.Context, account *corev1.ServiceAccount) (err error) {
	_ = wait.PollUntilContextCancel(ctx, quotaPause, true, func(ctx context.Context) (bool, error) {
		err = r.client.Create(ctx, account)
		return !isOverQuota(err), nil
	})
	return err
}

// end deletes a ServiceAccount, also one that a finalizer would keep: until it is gone, another one of its name cannot be made.
func (r recycler) end(ctx context.Context, original *corev1.ServiceAccount) error {
	var left metav1.PartialObjectMetadata
	left.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ServiceAccount"))
	err := r.client.Delete(ctx, original, client.Preconditions{UID: &original.UID})
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
	err = r.client.Patch(ctx, original.DeepCopy(), client.RawPatch(types.MergePatchType, patch))
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
	if _, isRecorded := made.Annotations[v1alpha1.CreatedByAnnotation]; isRecorded && again.Name != "default" {
		delete(again.Annotations, v1alpha1.CreatedByAnnotation) // the API server knows who made this one
	}
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
