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
	"slices"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// maxEvents is how many events are shown to people, unless they ask for all.
const maxEvents = 50

// Events are what the operator told of its objects.
type Events struct {
	metav1.TypeMeta `json:",inline"`

	// Items are in the order of their times, the newest last.
	Items []EventItem `json:"items"`
}

// EventItem is a Kubernetes Event about an object of the operator's kinds.
type EventItem struct {
	// SeenAt is when it happened last, and Count how often it did.
	SeenAt *metav1.Time `json:"seenAt,omitempty"`
	Count  int32        `json:"count"`

	// Type is Normal or Warning.
	Type    string `json:"type"`
	Reason  string `json:"reason"`
	Kind    string `json:"kind"`
	Name    string `json:"name"`
	Message string `json:"message"`
}

func (p *plugin) eventsCommand() *cobra.Command {
	var warnings bool
	command := &cobra.Command{
		Use:   "events [ORGANIZATION]",
		Short: "Show what the operator told lately",
		Long: "Show the Kubernetes Events about objects of the operator's kinds, the newest last; those of one ClerkOrganization, where one\n" +
			"is named. The API server keeps them for an hour, most often.\n\n" +
			"Exit code: 0 there is no warning, 2 there is one, 1 it cannot be told.",
		Example: "  kubectl clerk events acme --warnings",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			return p.events(command.Context(), strings.Join(args, ""), warnings)
		},
	}
	command.Flags().BoolVar(&warnings, "warnings", false, "Show warnings alone.")
	return command
}

func (p *plugin) events(ctx context.Context, text string, warnings bool) error {
	if err := p.checkOutput(); err != nil {
		return err
	}
	cluster, err := p.client()
	if err != nil {
		return err
	}
	fields := client.MatchingFields{"involvedObject.apiVersion": v1alpha1.GroupVersion.String()}
	if text != "" {
		snapshot, err := load(ctx, cluster, []listing{{list: &v1alpha1.ClerkOrganizationList{}}})
		if err != nil {
			return err
		}
		organization, err := snapshot.organization(text)
		if err != nil {
			return err
		}
		fields["involvedObject.name"] = organization.Name
	}
	var list corev1.EventList
	// Events about objects that are in no namespace are in this one.
	err = cluster.List(ctx, &list, client.InNamespace(metav1.NamespaceDefault), fields)
	if apierrors.IsForbidden(err) {
		return fmt.Errorf("you may not list events in the namespace %s: ask for the verb list on them", metav1.NamespaceDefault)
	}
	if err != nil {
		return fmt.Errorf("list events: %w", err)
	}
	found := &Events{TypeMeta: view("Events"), Items: []EventItem{}}
	for i := range list.Items {
		if warnings && list.Items[i].Type != corev1.EventTypeWarning {
			continue
		}
		item := itemOf(&list.Items[i])
		if item.Type == corev1.EventTypeWarning {
			p.code = ExitNo
		}
		found.Items = append(found.Items, item)
	}
	slices.SortFunc(found.Items, func(a, b EventItem) int {
		return cmp.Or(timeOrder(a.SeenAt, b.SeenAt), strings.Compare(a.Name, b.Name), strings.Compare(a.Reason, b.Reason))
	})
	return p.print(found)
}

func timeOrder(a, b *metav1.Time) int {
	if a == nil || b == nil {
		return 0
	}
	return a.Compare(b.Time)
}

// itemOf reads an Event, in its older form or the one with series.
func itemOf(event *corev1.Event) EventItem {
	seen, count := event.EventTime.Time, max(event.Count, 1)
	if event.Series != nil {
		seen, count = event.Series.LastObservedTime.Time, event.Series.Count
	}
	for _, other := range []metav1.Time{event.LastTimestamp, event.FirstTimestamp, event.CreationTimestamp} {
		if seen.IsZero() {
			seen = other.Time
		}
	}
	return EventItem{
		SeenAt: keepTime(metav1.NewTime(seen)), Count: count, Type: event.Type, Reason: event.Reason,
		Kind: event.InvolvedObject.Kind, Name: event.InvolvedObject.Name, Message: event.Message,
	}
}

func (e *Events) names() []string {
	names := make([]string, len(e.Items))
	for i, item := range e.Items {
		names[i] = reference(strings.ToLower(item.Kind), item.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (e *Events) text(out *page) {
	shown := e.Items
	if !out.wide && len(shown) > maxEvents {
		shown = shown[len(shown)-maxEvents:]
		out.line("%s", out.in(dim, fmt.Sprintf("%d older ones: -o wide shows them", len(e.Items)-maxEvents)))
	}
	if len(shown) == 0 {
		out.line("Nothing was told lately.")
		return
	}
	for _, item := range shown {
		look := plain
		if item.Type == corev1.EventTypeWarning {
			look = red
		}
		times := ""
		if item.Count > 1 {
			times = fmt.Sprintf(", %d times", item.Count)
		}
		out.line("%s  %s %s  %s", out.in(look, item.Reason), item.Kind, out.in(bold, item.Name), out.in(dim, out.ago(item.SeenAt)+times))
		out.paragraph("  ", "  ", item.Message, plain)
	}
}
