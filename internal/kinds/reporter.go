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

package kinds

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	clerkac "github.com/clerk-operator/clerk-operator/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/condition"
)

// reportOwner is a field manager of its own: the condition KindsStale, nothing else writes.
const reportOwner = client.FieldOwner("clerk-operator-kinds")

// Reporter says of each ClerkInstance, in the condition KindsStale, that kinds are not those of this version. Only the elected replica
// does so: during an upgrade replicas are of two versions, and would contradict each other.
type Reporter struct {
	// Client reads ClerkInstances and writes their status.
	Client client.Client
	// Live reads from the API server itself.
	Live client.Reader
}

// NeedLeaderElection says that the elected replica alone reports.
func (r *Reporter) NeedLeaderElection() bool { return true }

// Start reports at once and then at intervals, until the context ends.
func (r *Reporter) Start(ctx context.Context) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		if err := r.Report(ctx); err != nil && ctx.Err() == nil {
			ctrl.Log.WithName("kinds").Error(err, "cannot say whether the kinds are of this version")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// Report compares the kinds once, and writes the condition where it is news. A kind that cannot be read changes nothing.
func (r *Reporter) Report(ctx context.Context) error {
	var stale []string
	for name, served := range read(ctx, r.Live) {
		if served.err != nil {
			return fmt.Errorf("read the CustomResourceDefinition %s: %w", name, served.err)
		}
		if served.checksum != checksums[name] {
			stale = append(stale, name)
		}
	}
	var instances v1alpha1.ClerkInstanceList
	if err := r.Client.List(ctx, &instances); err != nil {
		return fmt.Errorf("list ClerkInstances: %w", err)
	}
	var errs []error
	for i := range instances.Items {
		if err := r.say(ctx, &instances.Items[i], stale); !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			errs = append(errs, err) // else it is gone by now, or another one has its name: the next look is for that
		}
	}
	return errors.Join(errs...)
}

// say writes what is so of a ClerkInstance, unless its status says it already.
func (r *Reporter) say(ctx context.Context, instance *v1alpha1.ClerkInstance, stale []string) error {
	var before []metav1.Condition
	if said := meta.FindStatusCondition(instance.Status.Conditions, v1alpha1.ConditionKindsStale); said != nil {
		before = append(before, *said)
	}
	conditions := staleCondition(before, instance.Generation, stale)
	if equality.Semantic.DeepEqual(before, conditions) {
		return nil
	}
	status := clerkac.ClerkInstanceStatus()
	status.Conditions = condition.Configurations(conditions)
	wanted := clerkac.ClerkInstance(instance.Name).WithUID(instance.UID).WithStatus(status)
	if err := r.Client.Status().Apply(ctx, wanted, reportOwner, client.ForceOwnership); err != nil {
		return fmt.Errorf("write the status of ClerkInstance %s: %w", instance.Name, err)
	}
	return nil
}

// staleCondition is the condition, or none where every kind is of this version.
func staleCondition(before []metav1.Condition, generation int64, stale []string) []metav1.Condition {
	if len(stale) == 0 {
		return nil
	}
	conditions := append([]metav1.Condition(nil), before...)
	condition.Set(&conditions, generation, metav1.Condition{
		Type: v1alpha1.ConditionKindsStale, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonKindsStale,
		Message: fmt.Sprintf("these kinds are not those of the operator's version, so fields may be dropped and rules be missing: %s; %s",
			strings.Join(stale, ", "), remedy),
	})
	return conditions
}
