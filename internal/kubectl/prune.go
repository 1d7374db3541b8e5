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
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// Prune says what waits for an administrator: removals that look like a mistake, and deletions that contradict Clerk.
type Prune struct {
	metav1.TypeMeta `json:",inline"`

	// Held are what waits, of every ClerkInstance that was asked about.
	Held []HeldItem `json:"held"`

	// Released is the name of what was released; empty where nothing was.
	Released string `json:"released,omitempty"`
}

// HeldItem is something that waits.
type HeldItem struct {
	Instance string `json:"instance"`

	// Kind is Removals (Clerk no longer lists what is mirrored) or Contradiction (Clerk lists what is deleted here).
	Kind string `json:"kind"`

	// Name names exactly these objects.
	Name string `json:"name"`

	Count int `json:"count"`

	// IDs are Clerk's ids of the first of them.
	IDs []string `json:"ids,omitempty"`
}

// Kinds of what is held.
const (
	heldRemovals      = "Removals"
	heldContradiction = "Contradiction"
)

func (p *plugin) pruneCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "prune",
		Short: "Show and release removals that the operator holds, since they look like a mistake",
		Args:  cobra.NoArgs,
		RunE:  func(command *cobra.Command, _ []string) error { return command.Help() },
	}
	command.AddCommand(
		&cobra.Command{
			Use:   "show [INSTANCE]",
			Short: "Show what is held",
			Long: "Show removals that a resync holds, since they look like a mistake, and deletions that contradict Clerk.\n\n" +
				"Exit code: 0 nothing is held, 2 something is, 1 it cannot be told.",
			Args: cobra.MaximumNArgs(1),
			RunE: func(command *cobra.Command, args []string) error { return p.pruneShow(command.Context(), args) },
		},
		&cobra.Command{
			Use:   "release NAME",
			Short: "Release what is held under a name",
			Long: "Release what is held under a name, as kubectl clerk prune show has it, after you have looked for some of the ids in Clerk.\n" +
				"The name stands for exactly these objects: what was not shown is not released. Needs the right to patch ClerkInstances.\n\n" +
				"Exit code: 0 it is released, 1 it is not.",
			Args: cobra.ExactArgs(1),
			RunE: func(command *cobra.Command, args []string) error { return p.pruneRelease(command.Context(), args[0]) },
		},
	)
	return command
}

func (p *plugin) pruneShow(ctx context.Context, args []string) error {
	found, _, err := p.held(ctx, args)
	if err != nil {
		return err
	}
	if len(found.Held) > 0 {
		p.code = ExitNo
	}
	return p.print(found)
}

// held are what ClerkInstances hold, of one if it is named.
func (p *plugin) held(ctx context.Context, args []string) (*Prune, *snapshot, error) {
	if err := p.checkOutput(); err != nil {
		return nil, nil, err
	}
	cluster, err := p.client()
	if err != nil {
		return nil, nil, err
	}
	snapshot, err := load(ctx, cluster, []listing{{list: &v1alpha1.ClerkInstanceList{}}})
	if err != nil {
		return nil, nil, err
	}
	if len(args) > 0 && named[v1alpha1.ClerkInstance](snapshot, args[0]) == nil {
		return nil, nil, fmt.Errorf("there is no ClerkInstance %q: kubectl get clerkinstances lists them", args[0])
	}
	found := &Prune{TypeMeta: view("Prune"), Held: snapshot.held(strings.Join(args, ""))}
	return found, snapshot, nil
}

// held are what ClerkInstances hold, of one if it is named.
func (s *snapshot) held(only string) []HeldItem {
	found := []HeldItem{}
	for _, instance := range all[v1alpha1.ClerkInstance](s) {
		if only != "" && instance.Name != only {
			continue
		}
		prune, contradiction := &instance.Status.HeldPrune, &instance.Status.Contradiction
		if prune.Plan != "" {
			found = append(found, HeldItem{instance.Name, heldRemovals, prune.Plan, countOf(prune.Count, prune.IDs), prune.IDs})
		}
		if contradiction.Name != "" {
			found = append(found, HeldItem{
				instance.Name, heldContradiction, contradiction.Name, countOf(contradiction.Count, contradiction.IDs), contradiction.IDs,
			})
		}
	}
	return found
}

func countOf(count *int32, ids []string) int {
	if count == nil {
		return len(ids)
	}
	return int(*count)
}

func (p *plugin) pruneRelease(ctx context.Context, name string) error {
	found, snapshot, err := p.held(ctx, nil)
	if err != nil {
		return err
	}
	cluster, err := p.client()
	if err != nil {
		return err
	}
	for _, item := range found.Held {
		if item.Name != name {
			continue
		}
		annotation := v1alpha1.ReleasePruneAnnotation
		if item.Kind == heldContradiction {
			annotation = v1alpha1.ReleaseContradictionAnnotation
		}
		if err := annotate(ctx, cluster, named[v1alpha1.ClerkInstance](snapshot, item.Instance), annotation, name); err != nil {
			return err
		}
		return p.print(&Prune{TypeMeta: view("Prune"), Held: []HeldItem{item}, Released: name})
	}
	return fmt.Errorf("nothing is held under the name %q: kubectl clerk prune show has the names; "+
		"what is held changes its name with its objects", name)
}

func (r *Prune) names() []string {
	names := make([]string, len(r.Held))
	for i, item := range r.Held {
		names[i] = reference("clerkinstance", item.Instance)
	}
	return names
}

func (r *Prune) text(out *page) {
	if len(r.Held) == 0 {
		out.line("Nothing is held.")
		return
	}
	says := map[string]string{
		heldRemovals: "%s would be removed, since Clerk no longer lists them. Look for some in Clerk: if they are gone there, release them; " +
			"if not, the key is of another environment, or somebody deleted too much.",
		heldContradiction: "%s deleted here, and Clerk lists them. Look for some in Clerk: if they are there, find out what deleted them here, " +
			"and release them; they come back with their access.",
	}
	objects := map[string][2]string{heldRemovals: {"object", "objects"}, heldContradiction: {"object is", "objects are"}}
	for _, item := range r.Held {
		out.line("%s of %s, %s", out.in(bold, item.Kind), out.in(bold, item.Instance), item.Name)
		if r.Released != "" {
			out.line("  %s: the operator goes on within a moment.", out.in(green, "released"))
			continue
		}
		words := objects[item.Kind]
		out.paragraph("  ", "  ", fmt.Sprintf(says[item.Kind], counted(item.Count, words[0], words[1])), plain)
		shown := item.IDs
		if !out.wide {
			shown = shown[:min(len(shown), maxBranches)]
		}
		for _, id := range shown {
			out.line("    %s", id)
		}
		if rest := item.Count - len(shown); rest > 0 {
			out.line("    and %d more", rest)
		}
		out.line("  kubectl clerk prune release %s", cmp.Or(item.Name, "NAME"))
	}
}
