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
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/clerk/backend"
	"github.com/clerk-operator/clerk-operator/internal/environment"
)

// askTimeout bounds how long a question may keep whoever asks waiting: it has organizations to look after.
const askTimeout = 5 * time.Second

// errBusy answers a question while another is asked.
var errBusy = errors.New("Clerk is being asked about another organization") //nolint:staticcheck // a name

// questions asks Clerk's API about single things, one at a time: whoever asks waits at most for one answer, and Clerk's limits hold. A
// client is kept as long as its key and the ClerkInstance are the same.
type questions struct {
	asking sync.Mutex
	of     string
	api    *backend.Client
}

// OrganizationExists asks Clerk whether it has an organization. known is false where there is no API key to ask with. An error says that it
// cannot be told now.
func (r *Resyncer) OrganizationExists(ctx context.Context, name, id string) (exists, known bool, err error) {
	var instance v1alpha1.ClerkInstance
	err = r.Client.Get(ctx, client.ObjectKey{Name: name}, &instance)
	if apierrors.IsNotFound(err) || err == nil && instance.Spec.API.SecretKeyRef.Name == "" {
		return false, false, nil
	}
	if err != nil {
		return false, false, fmt.Errorf("read ClerkInstance %s: %w", name, err)
	}
	if !r.questions.asking.TryLock() {
		return false, false, errBusy
	}
	defer r.questions.asking.Unlock()
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	if err := r.prepare(ctx, &instance); err != nil {
		return false, false, err
	}
	exists, err = r.questions.api.HasOrganization(ctx, id)
	return exists, err == nil, err
}

// prepare makes sure that there is a client, and that its key is of the ClerkInstance's environment.
func (r *Resyncer) prepare(ctx context.Context, instance *v1alpha1.ClerkInstance) error {
	key, err := r.key(ctx, instance)
	if err != nil {
		return err
	}
	of := fmt.Sprintf("%s/%d/%s", instance.UID, instance.Generation, key)
	if r.questions.api != nil && r.questions.of == of {
		return nil
	}
	api, err := r.client(instance, key, nil)
	if err != nil {
		return err
	}
	answer, err := api.Instance(ctx)
	if err == nil {
		err = environment.Check(instance, answer.ID)
	}
	if err != nil {
		api.Close()
		return err
	}
	if r.questions.api != nil {
		r.questions.api.Close()
	}
	r.questions.of, r.questions.api = of, api
	return nil
}
