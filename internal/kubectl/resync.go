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

package kubectl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// pollInterval is how often it is looked whether a resync has ended. A small one takes a second.
const pollInterval = time.Second

// Resync is a resync that was asked for.
type Resync struct {
	metav1.TypeMeta `json:",inline"`

	Instance string `json:"instance"`

	// RequestedAt is the value of the annotation that asks for it, and that status.lastResync.requestedAt will have.
	RequestedAt string `json:"requestedAt"`

	// Ended: it was waited for, and is over. What follows is only known then.
	Ended bool `json:"ended"`

	// Result is Complete, Incomplete, PruneHeld or Failed; Reason and Message are those of the condition Synced.
	Result  string `json:"result,omitempty"`
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`

	// Kinds are what it found of each kind.
	Kinds []v1alpha1.ResyncedKind `json:"kinds,omitempty"`
}

func (p *plugin) resyncCommand() *cobra.Command {
	var wait bool
	var timeout time.Duration
	command := &cobra.Command{
		Use:   "resync [INSTANCE]",
		Short: "Have the operator list what there is in Clerk, and repair what differs",
		Long: "Have the operator list what there is in Clerk, and repair what differs. Needs the right to patch ClerkInstances.\n\n" +
			"INSTANCE is a ClerkInstance with an API key; it may be left out where there is only one.\n\n" +
			"Exit code: 0 asked for and, with --wait, complete; 2 it ended otherwise, 1 it cannot be told.",
		Example: "  kubectl clerk resync --wait",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			return p.resync(command.Context(), args, wait, timeout)
		},
	}
	command.Flags().BoolVar(&wait, "wait", false, "Wait until it is over, and say what it found.")
	command.Flags().DurationVar(&timeout, "timeout", 10*time.Minute, "How long to wait.")
	return command
}

func (p *plugin) resync(ctx context.Context, args []string, wait bool, timeout time.Duration) error {
	if err := p.checkOutput(); err != nil {
		return err
	}
	cluster, err := p.client()
	if err != nil {
		return err
	}
	instance, err := instanceNamed(ctx, cluster, args)
	if err != nil {
		return err
	}
	if instance.Spec.API == (v1alpha1.ClerkInstanceAPI{}) {
		return fmt.Errorf("the ClerkInstance %s has no API key, so nothing can be listed: give it one in spec.api", instance.Name)
	}
	found := &Resync{TypeMeta: view("Resync"), Instance: instance.Name, RequestedAt: time.Now().UTC().Format(time.RFC3339Nano)}
	if err := annotate(ctx, cluster, instance, v1alpha1.ResyncAnnotation, found.RequestedAt); err != nil {
		return err
	}
	if wait {
		if err := found.await(ctx, cluster, timeout); err != nil {
			return err
		}
		if found.Result != string(v1alpha1.ResyncComplete) {
			p.code = ExitNo
		}
	}
	return p.print(found)
}

// instanceNamed is the ClerkInstance of a name, or the only one.
func instanceNamed(ctx context.Context, cluster client.Client, args []string) (*v1alpha1.ClerkInstance, error) {
	snapshot, err := load(ctx, cluster, []listing{{list: &v1alpha1.ClerkInstanceList{}}})
	if err != nil {
		return nil, err
	}
	instances := all[v1alpha1.ClerkInstance](snapshot)
	switch {
	case len(args) > 0:
		if instance := named[v1alpha1.ClerkInstance](snapshot, args[0]); instance != nil {
			return instance, nil
		}
		return nil, fmt.Errorf("there is no ClerkInstance %q: kubectl get clerkinstances lists them", args[0])
	case len(instances) == 1:
		return instances[0], nil
	case len(instances) == 0:
		return nil, errors.New("there is no ClerkInstance: create one")
	}
	return nil, fmt.Errorf("there are several ClerkInstances: name one of %s",
		told(instances, func(instance *v1alpha1.ClerkInstance) string { return instance.Name }))
}

// annotate sets an annotation of a ClerkInstance.
func annotate(ctx context.Context, cluster client.Client, instance *v1alpha1.ClerkInstance, key, value string) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{key: value}}})
	if err != nil {
		return err
	}
	err = cluster.Patch(ctx, instance, client.RawPatch(types.MergePatchType, patch))
	if apierrors.IsForbidden(err) {
		return fmt.Errorf("you may not patch clerkinstances.clerk-operator.io: ask for the ClusterRole clerk-operator-editor, "+
			"or have somebody set the annotation %s=%s on the ClerkInstance %s", key, value, instance.Name)
	}
	return err
}

// await waits until the resync that was asked for is over.
func (r *Resync) await(ctx context.Context, cluster client.Client, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		var instance v1alpha1.ClerkInstance
		if err := cluster.Get(ctx, client.ObjectKey{Name: r.Instance}, &instance); err != nil && ctx.Err() == nil {
			return fmt.Errorf("read the ClerkInstance %s: %w", r.Instance, err)
		}
		if last := &instance.Status.LastResync; last.RequestedAt == r.RequestedAt {
			r.Ended, r.Result, r.Kinds = true, string(last.Result), last.Kinds
			if synced := meta.FindStatusCondition(instance.Status.Conditions, v1alpha1.ConditionSynced); synced != nil {
				r.Reason, r.Message = synced.Reason, synced.Message
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the resync of %s was asked for, and is not over after %s: kubectl clerk status says whether the operator is at work",
				r.Instance, timeout)
		case <-ticker.C:
		}
	}
}

func (r *Resync) names() []string { return []string{reference("clerkinstance", r.Instance)} }

func (r *Resync) text(out *page) {
	if !r.Ended {
		out.line("A resync of %s was asked for: kubectl clerk status shows when it is over, and --wait waits for it.", out.in(bold, r.Instance))
		return
	}
	look := green
	if r.Result != string(v1alpha1.ResyncComplete) {
		look = red
	}
	out.line("Resync of %s: %s", out.in(bold, r.Instance), out.in(look, r.Result))
	if r.Message != "" {
		out.paragraph("  ", "  ", r.Message, plain)
	}
	rows := make([][]cell, len(r.Kinds))
	for i := range r.Kinds {
		kind := &r.Kinds[i]
		rows[i] = []cell{
			{text: kind.Kind}, {text: count(kind.Listed)}, {text: count(kind.Created)}, {text: count(kind.Updated)}, {text: count(kind.Deleted)},
		}
	}
	if len(rows) > 0 {
		out.table("", []string{"KIND", "LISTED", "CREATED", "UPDATED", "DELETED"}, rows)
	}
}

func count(n *int32) string {
	if n == nil {
		return "0"
	}
	return fmt.Sprint(*n)
}
