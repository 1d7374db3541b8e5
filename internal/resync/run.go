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

package resync

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/clerk/backend"
	"github.com/clerk-operator/clerk-operator/internal/environment"
	"github.com/clerk-operator/clerk-operator/internal/metrics"
)

// run is one resync of one ClerkInstance.
type run struct {
	*Resyncer
	instance *v1alpha1.ClerkInstance
	started  time.Time
	api      *backend.Client
	requests atomic.Int64

	instanceID string
	counts     map[string]*tally
	kinds      []found
	told       time.Time // when the status last said how far it is

	// unseen are those at which the last resync tried to look and could not, failed those at which this one could not.
	unseen, failed map[string]bool
	contradictions contradictions
	held           *plan
	billing        billing

	mu    sync.Mutex
	notes notes
}

// tally is what was found of a kind.
type tally struct {
	listed, created, updated, deleted int
}

// errChanged ends a resync whose ClerkInstance is no longer what it was.
var errChanged = errors.New("the ClerkInstance changed or went away meanwhile")

// setback is why a resync did not find everything: a result, and what a condition says.
type setback struct {
	result  v1alpha1.ResyncResult
	reason  string
	message string
	wait    time.Duration

	// lasting says that trying again soon would find the same.
	lasting bool
}

// Error implements error.
func (s *setback) Error() string { return s.message }

// resync lists everything, mirrors it, and removes what is gone. What it returns is why it ended before, or what it did not find; errors of
// a ClerkInstance that changed, of a cancelled context and of the API server are no setbacks.
func (r *run) resync(ctx context.Context) error {
	if err := r.open(ctx); err != nil {
		return err
	}
	defer r.api.Close()
	if err := r.listAll(ctx); err != nil {
		return err
	}
	released, err := r.release(ctx)
	if err != nil {
		return err
	}
	if released {
		if err := r.listAll(ctx); err != nil {
			return err
		}
	}
	return r.prune(ctx)
}

// open makes a client for Clerk's API, and makes sure that its key is of the right environment before anything is listed.
func (r *run) open(ctx context.Context) error {
	if err := r.connect(ctx); err != nil {
		return err
	}
	answer, err := r.api.Instance(ctx)
	if err == nil {
		r.instanceID = answer.ID
		err = r.recognize(ctx)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if _, answered := errors.AsType[*setback](err); err != nil && !answered {
		return apiSetback(err)
	}
	if err == nil {
		err = r.pin(ctx)
	}
	if err != nil {
		r.api.Close()
	}
	return err
}

// connect makes a client with the key as the Secret now has it.
func (r *run) connect(ctx context.Context) error {
	key, err := r.key(ctx, r.instance)
	if err != nil {
		return err
	}
	r.api, err = r.client(r.instance, key, r.answered)
	return err
}

// key is the API key of a ClerkInstance. Of Secrets that are not marked as having one, nothing is read.
func (r *Resyncer) key(ctx context.Context, instance *v1alpha1.ClerkInstance) (string, error) {
	ref := instance.Spec.API.SecretKeyRef
	name := r.Namespace + "/" + ref.Name
	refuse := func(reason, format string, args ...any) (string, error) {
		return "", &setback{result: v1alpha1.ResyncFailed, reason: reason, message: fmt.Sprintf(format, args...)}
	}
	var secret corev1.Secret
	err := r.Client.Get(ctx, client.ObjectKey{Namespace: r.Namespace, Name: ref.Name}, &secret)
	switch {
	case apierrors.IsNotFound(err):
		return refuse(v1alpha1.ReasonSecretNotFound,
			"the Secret %s does not exist: create it with Clerk's API key (sk_…) as the key %s, and the label %s=%s",
			name, ref.Key, v1alpha1.APIKeyLabel, v1alpha1.APIKeyLabelValue)
	case err != nil:
		return "", fmt.Errorf("read Secret %s: %w", name, err)
	case secret.Labels[v1alpha1.APIKeyLabel] != v1alpha1.APIKeyLabelValue:
		return refuse(v1alpha1.ReasonSecretNotMarked,
			"the Secret %s is not marked as one with an API key, so nothing of it is sent to Clerk: kubectl -n %s label secret %s %s=%s",
			name, r.Namespace, ref.Name, v1alpha1.APIKeyLabel, v1alpha1.APIKeyLabelValue)
	}
	key := strings.TrimSpace(string(secret.Data[ref.Key]))
	if key == "" {
		return refuse(v1alpha1.ReasonSecretUnusable,
			"the Secret %s has no key %s, or it is empty: put Clerk's API key (sk_…) there", name, ref.Key)
	}
	return key, nil
}

func (r *Resyncer) client(instance *v1alpha1.ClerkInstance, key string, answered func(int)) (*backend.Client, error) {
	api, err := backend.NewClient(backend.ClientOptions{
		URL: instance.Spec.API.URL, Hosts: r.Hosts, Key: key, PageSize: r.PageSize, Answered: answered,
	})
	if err != nil {
		return nil, &setback{result: v1alpha1.ResyncFailed, reason: v1alpha1.ReasonAPIInvalid, message: err.Error()}
	}
	return api, nil
}

func (r *run) answered(status int) {
	label := "none"
	if status > 0 {
		label = strconv.Itoa(status)
	}
	r.requests.Add(1)
	metrics.ResyncRequests.WithLabelValues(r.instance.Name, label).Inc()
}

// recognize refuses a key in whose environment nothing is known of what is mirrored, where no event has told which environment it is: older
// payloads do not say it.
func (r *run) recognize(ctx context.Context) error {
	if r.instance.Spec.InstanceID != "" || r.instance.Status.InstanceID != "" {
		return nil
	}
	known, err := organizationKindOf().mirrored(ctx, r.Client, r.instance.Name)
	if err != nil {
		return err
	}
	ids := slices.Sorted(maps.Keys(known.living))
	for _, id := range ids[:min(len(ids), maxProbes)] {
		exists, err := r.api.HasOrganization(ctx, id)
		if exists || err != nil {
			return err
		}
	}
	if len(ids) == 0 {
		return nil
	}
	return &setback{result: v1alpha1.ResyncFailed, reason: v1alpha1.ReasonWrongInstance, message: fmt.Sprintf(
		"the API key is of the Clerk environment %s, which does not know the organizations that are mirrored: put a key of their environment "+
			"into the Secret; if it is the right one and they are gone, set spec.instanceID to %s", r.instanceID, r.instanceID)}
}

// pin refuses the key of another environment: with it, everything that is mirrored would be gone.
func (r *run) pin(ctx context.Context) error {
	err := r.Environments.Pin(ctx, r.instance, r.instanceID)
	if other, ok := errors.AsType[*environment.OtherError](err); ok {
		return &setback{result: v1alpha1.ResyncFailed, reason: v1alpha1.ReasonWrongInstance, message: fmt.Sprintf(
			"the API key is of another environment, so nothing was listed: %s; put a key of %s into the Secret, or, if the environment "+
				"was really replaced, set spec.instanceID to %s", other.Error(), other.Want, other.Got)}
	}
	return err
}

// apiSetback judges an error of Clerk's API.
func apiSetback(err error) *setback {
	failed := &setback{result: v1alpha1.ResyncFailed, reason: v1alpha1.ReasonAPIUnavailable,
		message: "Clerk's API cannot be read, it is tried again: " + err.Error()}
	answer, ok := errors.AsType[*backend.APIError](err)
	if !ok {
		return failed
	}
	failed.wait = answer.RetryAfter
	if answer.Status < 500 && answer.Status != 429 && answer.Status != 200 {
		failed.reason = v1alpha1.ReasonAPIRefused
		failed.message = "Clerk's API refuses the key or the request: check the key in the Secret and spec.api.url: " + err.Error()
	}
	return failed
}

// stillWanted tells whether the ClerkInstance is what it was when the resync began.
func (r *run) stillWanted(ctx context.Context) error {
	var now v1alpha1.ClerkInstance
	err := r.Client.Get(ctx, client.ObjectKeyFromObject(r.instance), &now)
	if apierrors.IsNotFound(err) || err == nil && (now.UID != r.instance.UID || now.Generation != r.instance.Generation) {
		return errChanged
	}
	return err
}
