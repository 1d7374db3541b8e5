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
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/condition"
)

// Status says how the operator's objects are.
type Status struct {
	metav1.TypeMeta `json:",inline"`

	// Well: everything is as it should be.
	Well bool `json:"well"`

	Instances []StatusInstance `json:"instances"`
	Sinks     []StatusObject   `json:"sinks,omitempty"`
	Databases []StatusObject   `json:"databases,omitempty"`
	Grants    []StatusObject   `json:"clusterGrants,omitempty"`
	Classes   StatusCount      `json:"classes"`

	// Tenants are the organizations that are not deleted.
	Tenants StatusCount `json:"tenants"`

	// Members are the memberships that are not deleted; nil where the caller may not list them.
	Members *StatusCount `json:"members,omitempty"`

	// NotReady are the objects that are not ready, with what to do.
	NotReady []StatusObject `json:"notReady,omitempty"`
}

// StatusInstance is a ClerkInstance.
type StatusInstance struct {
	StatusObject `json:",inline"`

	Mode string `json:"mode"`

	// LastEvent is when the newest delivery came in, and LastEventType its type.
	LastEvent     *metav1.Time `json:"lastEvent,omitempty"`
	LastEventType string       `json:"lastEventType,omitempty"`

	// LastRefusal is when a delivery was refused last, and LastRefusalReason why.
	LastRefusal       *metav1.Time `json:"lastRefusal,omitempty"`
	LastRefusalReason string       `json:"lastRefusalReason,omitempty"`

	// LastResync is when the last resync ended, and LastResyncResult what it came to; Drift is what no webhook had told.
	LastResync       *metav1.Time `json:"lastResync,omitempty"`
	LastResyncResult string       `json:"lastResyncResult,omitempty"`
	Drift            int          `json:"drift,omitempty"`

	// Held are the reasons for which something waits for an administrator: PruneHeld, Contradiction.
	Held []string `json:"held,omitempty"`
}

// StatusObject is an object, and whether it is ready.
type StatusObject struct {
	Kind string `json:"kind"`
	Name string `json:"name"`

	// Title is how people call it, where that is another name.
	Title string `json:"title,omitempty"`

	Ready   bool   `json:"ready"`
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
}

// StatusCount counts objects of a kind.
type StatusCount struct {
	Total int `json:"total"`
	Ready int `json:"ready"`
}

func (p *plugin) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Say whether Clerk is heard, and which tenants are not ready and why",
		Long: "Say which ClerkInstances there are, in which mode, when each was last heard, and what of the operator's objects is not\n" +
			"ready, with the reason and what to do.\n\n" +
			"Exit code: 0 all is well, 2 something is not ready or waits for somebody, 1 it cannot be told.",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error { return p.status(command.Context()) },
	}
}

// statusListings are the kinds without which there is no status, and those that make it better.
func statusListings() (needed, more []listing) {
	return []listing{{list: &v1alpha1.ClerkInstanceList{}}, {list: &v1alpha1.TenantClassList{}}, {list: &v1alpha1.ClerkOrganizationList{}}},
		[]listing{{list: &v1alpha1.ClerkMemberList{}}, {list: &v1alpha1.ClerkSinkList{}}, {list: &v1alpha1.ClerkDatabaseList{}},
			{list: &v1alpha1.ClusterGrantList{}}}
}

func (p *plugin) status(ctx context.Context) error {
	if err := p.checkOutput(); err != nil {
		return err
	}
	cluster, err := p.client()
	if err != nil {
		return err
	}
	needed, more := statusListings()
	snapshot, err := load(ctx, cluster, needed, optional(more))
	if err != nil {
		return err
	}
	found := snapshot.status()
	if !found.Well {
		p.code = ExitNo
	}
	return p.print(found)
}

func (s *snapshot) status() *Status {
	found := &Status{TypeMeta: view("Status"), Well: true, Instances: []StatusInstance{}}
	for _, instance := range all[v1alpha1.ClerkInstance](s) {
		found.addInstance(instance)
	}
	for _, sink := range all[v1alpha1.ClerkSink](s) {
		found.Sinks = append(found.Sinks, found.judge("ClerkSink", sink.Name, "", sink.Status.Conditions))
	}
	for _, database := range all[v1alpha1.ClerkDatabase](s) {
		found.Databases = append(found.Databases, found.judge("ClerkDatabase", database.Name, "", database.Status.Conditions))
	}
	for _, grant := range all[v1alpha1.ClusterGrant](s) {
		found.Grants = append(found.Grants, found.judge("ClusterGrant", grant.Name, "", grant.Status.Conditions))
	}
	for _, class := range all[v1alpha1.TenantClass](s) {
		found.Classes.add(found.judge("TenantClass", class.Name, "", class.Status.Conditions))
	}
	for _, organization := range all[v1alpha1.ClerkOrganization](s) {
		found.addOrganization(organization)
	}
	if s.unread[clerkMembers] == nil {
		found.Members = s.countMembers()
	}
	slices.SortFunc(found.NotReady, func(a, b StatusObject) int {
		return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.Title, b.Title), strings.Compare(a.Name, b.Name))
	})
	return found
}

// addOrganization counts a tenant. One that was deleted in Clerk is none, and is noted if something keeps its access from going.
func (found *Status) addOrganization(organization *v1alpha1.ClerkOrganization) {
	conditions := organization.Status.Conditions
	if organization.Spec.DeletedAt == nil {
		found.Tenants.add(found.judge("ClerkOrganization", organization.Name, organizationName(organization, ""), conditions))
		return
	}
	if ready, reason := condition.IsReady(conditions); !ready && reason != "" {
		found.judge("ClerkOrganization", organization.Name, organization.Spec.ID, conditions)
	}
}

// clerkMembers is the resource that those who may view a cluster may not list.
const clerkMembers = "clerkmembers.clerk-operator.io"

// countMembers counts the memberships that are not deleted, and those of them that give access.
func (s *snapshot) countMembers() *StatusCount {
	var count StatusCount
	for _, member := range all[v1alpha1.ClerkMember](s) {
		if member.Spec.DeletedAt != nil {
			continue
		}
		count.Total++
		if meta.IsStatusConditionTrue(member.Status.Conditions, v1alpha1.ConditionBound) {
			count.Ready++
		}
	}
	return &count
}

// judge is an object by its condition Ready. One that is not ready is noted.
func (found *Status) judge(kind, name, title string, conditions []metav1.Condition) StatusObject {
	object := StatusObject{Kind: kind, Name: name, Title: title}
	if ready := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady); ready != nil {
		object.Ready, object.Reason, object.Message = ready.Status == metav1.ConditionTrue, ready.Reason, ready.Message
	} else {
		object.Reason, object.Message = "NotLookedAt", "the operator has not looked at it yet: see whether its pods run"
	}
	if !object.Ready {
		found.Well = false
		found.NotReady = append(found.NotReady, object)
	}
	return object
}

func (c *StatusCount) add(object StatusObject) {
	c.Total++
	if object.Ready {
		c.Ready++
	}
}

func (found *Status) addInstance(instance *v1alpha1.ClerkInstance) {
	status := &instance.Status
	row := StatusInstance{
		StatusObject: found.judge("ClerkInstance", instance.Name, "", status.Conditions), Mode: string(instance.Spec.Mode),
		LastEvent: keepTime(status.LastEvent.ReceivedAt), LastEventType: status.LastEvent.Type,
		LastRefusal: keepTime(status.LastRefusal.RefusedAt), LastRefusalReason: status.LastRefusal.Reason,
		LastResync: keepTime(status.LastResync.FinishedAt), LastResyncResult: string(status.LastResync.Result),
	}
	for i := range status.LastResync.Kinds {
		kind := &status.LastResync.Kinds[i]
		for _, count := range []*int32{kind.Created, kind.Updated, kind.Deleted} {
			if count != nil {
				row.Drift += int(*count)
			}
		}
	}
	synced := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionSynced)
	if synced != nil && synced.Status != metav1.ConditionTrue {
		found.note(instance.Name, synced)
		if synced.Reason == v1alpha1.ReasonContradiction {
			row.Held = append(row.Held, synced.Reason)
		}
	}
	if held := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionPruneHeld); held != nil && held.Status == metav1.ConditionTrue {
		found.note(instance.Name, held)
		row.Held = append(row.Held, held.Reason)
	}
	found.Instances = append(found.Instances, row)
}

// note notes a condition of a ClerkInstance other than Ready that is not as it should be.
func (found *Status) note(instance string, wrong *metav1.Condition) {
	found.Well = false
	object := StatusObject{Kind: "ClerkInstance", Name: instance, Reason: wrong.Reason, Message: wrong.Message}
	if !slices.Contains(found.NotReady, object) {
		found.NotReady = append(found.NotReady, object)
	}
}

// keepTime is a time in an answer; nil where it is zero.
func keepTime(at metav1.Time) *metav1.Time {
	if at.IsZero() {
		return nil
	}
	return new(metav1.NewTime(at.UTC().Truncate(time.Second)))
}
