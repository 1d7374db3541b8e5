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
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// planOptions are the flags of plan.
type planOptions struct {
	files             []string
	details           bool
	operatorNamespace string
}

func (p *plugin) planCommand() *cobra.Command {
	var options planOptions
	command := &cobra.Command{
		Use:   "plan -f FILE|FOLDER [-f …]",
		Short: "Say what an edit of TenantClasses, ClerkInstances or ClusterGrants would do, and do nothing",
		Long: "Say what an edit of TenantClasses or ClerkInstances would do, organization by organization: namespaces made and released,\n" +
			"policies changed, and who gains and who loses which ClusterRole; and what it, or an edit of ClusterGrants, would do in the\n" +
			"whole cluster: who gains and who loses what by which ClusterRoleBinding, and what is refused and why. It changes nothing.\n\n" +
			"Of the manifests only these three kinds count. Each stands for the whole object, as after kubectl replace. The API server\n" +
			"checks them by a dry run where you may write them.\n\n" +
			"Exit code: 0 nothing would change, 2 something would, 1 it cannot be told.",
		Example: "  kubectl clerk plan -f class.yaml --details\n  kustomize build . | kubectl clerk plan -f -",
		Args:    cobra.NoArgs,
		RunE:    func(command *cobra.Command, _ []string) error { return p.plan(command.Context(), options) },
	}
	command.Flags().StringArrayVarP(&options.files, "filename", "f", nil,
		"A manifest, a folder with manifests (.yaml, .yml, .json), or - for the input.")
	command.Flags().BoolVar(&options.details, "details", false, "Show each namespace, policy and person.")
	command.Flags().StringVar(&options.operatorNamespace, "operator-namespace", "clerk-operator-system",
		"The namespace of the operator, which is never an organization's.")
	return command
}

func (p *plugin) plan(ctx context.Context, options planOptions) error {
	if err := p.checkOutput(); err != nil {
		return err
	}
	if len(options.files) == 0 {
		return errors.New("name a manifest with -f, a folder, or - for the input")
	}
	edits, err := readManifests(options.files, p.Streams.In)
	if err != nil {
		return err
	}
	if len(edits) == 0 {
		return errors.New("the manifests have no TenantClass, no ClerkInstance and no ClusterGrant: nothing to plan")
	}
	cluster, err := p.client()
	if err != nil {
		return err
	}
	found := &Plan{TypeMeta: view("Plan"), Objects: []PlanObject{}, Organizations: []PlanOrganization{}}
	if err := found.foresee(ctx, cluster, edits, &forecast{operatorNamespace: options.operatorNamespace, now: p.Now()}); err != nil {
		return err
	}
	if found.Changes {
		p.code = ExitNo
	}
	if p.output == "" && options.details {
		return p.print(&detailedPlan{found})
	}
	return p.print(found)
}

// foresee looks at the cluster as it is, and as it would be after the edits.
func (plan *Plan) foresee(ctx context.Context, cluster client.Client, edits []*edit, forecast *forecast) error {
	before, err := load(ctx, cluster, mirrored(), planned(), limiting())
	if err != nil {
		return err
	}
	if edits, err = plan.leaveOutUnseen(edits, before); err != nil {
		return err
	}
	after := before
	for _, edit := range edits {
		if err := edit.prepare(ctx, cluster, before, plan); err != nil {
			return err
		}
		if after, err = after.with(ctx, edit.object); err != nil {
			return err
		}
	}
	allowed, err := allowanceOf(ctx, cluster, before, forecast.operatorNamespace)
	if err != nil {
		return err
	}
	if err := plan.compare(ctx, forecast, before, after); err != nil {
		return err
	}
	if err := plan.compareGrants(ctx, newGrantForecast(forecast, before, after, allowed)); err != nil {
		return err
	}
	plan.summarize()
	return nil
}

// planned are namespaces, RoleBindings of organizations, ClusterGrants and ClusterRoleBindings: what has a name is taken, whoever made it.
func planned() []listing {
	return slices.Concat([]listing{{list: &corev1.NamespaceList{}}, bound()[1]},
		optional([]listing{{list: &v1alpha1.ClusterGrantList{}}, {list: &rbacv1.ClusterRoleBindingList{}}}))
}

// leaveOutUnseen leaves out edits of ClusterGrants where the caller may not see those that there are, and notes what is not seen.
func (plan *Plan) leaveOutUnseen(edits []*edit, before *snapshot) ([]*edit, error) {
	plan.Notes = before.unseenGrants("who has something by ClusterGrants now follows from what the operator decides, not from what there is")
	unread := before.unread[clusterGrants]
	if unread == nil {
		return edits, nil
	}
	isGrant := func(e *edit) bool { return e.kind == v1alpha1.KindClusterGrant }
	kept := slices.DeleteFunc(slices.Clone(edits), isGrant)
	if len(kept) == 0 {
		return nil, explainList(unread, &v1alpha1.ClusterGrantList{})
	}
	if len(kept) < len(edits) && len(plan.Notes) == 0 { // the cluster does not know the kind
		plan.Notes = append(plan.Notes, "edits of ClusterGrants are left out: "+explainList(unread, &v1alpha1.ClusterGrantList{}).Error())
	}
	return kept, nil
}

// compare looks at every organization before and after the edit.
func (plan *Plan) compare(ctx context.Context, forecast *forecast, before, after *snapshot) error {
	now, err := forecast.of(ctx, before)
	if err != nil {
		return err
	}
	then, err := forecast.of(ctx, after)
	if err != nil {
		return err
	}
	for name := range now {
		organization := difference(now[name], then[name])
		plan.Summary.Organizations++
		if organization == nil {
			continue
		}
		plan.add(organization)
	}
	slices.SortFunc(plan.Organizations, func(a, b PlanOrganization) int {
		return cmp.Or(strings.Compare(cmp.Or(a.Slug, a.ID), cmp.Or(b.Slug, b.ID)), strings.Compare(a.Name, b.Name))
	})
	plan.Changes = len(plan.Organizations) > 0
	return nil
}

// add counts what changes for one organization.
func (plan *Plan) add(organization *PlanOrganization) {
	plan.Organizations = append(plan.Organizations, *organization)
	summary := &plan.Summary
	summary.Changed++
	for _, namespace := range organization.Namespaces {
		switch namespace.Change {
		case NamespaceMade:
			summary.NamespacesMade++
		case NamespaceReleased:
			summary.NamespacesReleased++
		case NamespaceDeleted:
			summary.NamespacesDeleted++
		}
	}
	summary.PoliciesChanged += len(organization.Policies)
	if len(organization.Problems) > 0 {
		summary.Problems++
	}
}

// summarize counts who gains and who loses something, in namespaces and in the whole cluster.
func (plan *Plan) summarize() {
	gaining, losing := map[string]bool{}, map[string]bool{}
	for i := range plan.Organizations {
		for _, grant := range plan.Organizations[i].Gains {
			gaining[grant.Subject] = true
		}
		for _, grant := range plan.Organizations[i].Losses {
			losing[grant.Subject] = true
		}
	}
	for i := range plan.ClusterGrants {
		for _, holder := range plan.ClusterGrants[i].Gains {
			gaining[holder.Subject] = true
		}
		for _, holder := range plan.ClusterGrants[i].Losses {
			losing[holder.Subject] = true
		}
		if len(plan.ClusterGrants[i].Problems) > 0 {
			plan.Summary.ClusterGrantProblems++
		}
	}
	plan.Summary.Gaining, plan.Summary.Losing = len(gaining), len(losing)
}

func (plan *Plan) names() []string {
	names := make([]string, 0, len(plan.Organizations)+len(plan.ClusterGrants))
	for i := range plan.Organizations {
		names = append(names, reference("clerkorganization", plan.Organizations[i].Name))
	}
	for i := range plan.ClusterGrants {
		names = append(names, reference("clustergrant", plan.ClusterGrants[i].Name))
	}
	return names
}

// objectsText says which objects would be made or changed.
func (plan *Plan) objectsText() string {
	texts := make([]string, len(plan.Objects))
	actions := map[string]string{actionCreate: "would be made", actionUpdate: "would change", actionNone: "stays as it is"}
	for i, object := range plan.Objects {
		texts[i] = fmt.Sprintf("%s %s %s", object.Kind, object.Name, actions[object.Action])
	}
	return strings.Join(texts, "; ")
}

var _ answer = (*Plan)(nil)

// isNamespaceTaken tells which names of namespaces are in use.
func isNamespaceTaken(s *snapshot) map[string]bool {
	taken := map[string]bool{}
	for _, namespace := range all[corev1.Namespace](s) {
		taken[namespace.Name] = true
	}
	return taken
}

// organizationsInOrder are all organizations, by their names in Kubernetes.
func organizationsInOrder(s *snapshot) []*v1alpha1.ClerkOrganization {
	organizations := all[v1alpha1.ClerkOrganization](s)
	slices.SortFunc(organizations, func(a, b *v1alpha1.ClerkOrganization) int { return strings.Compare(a.Name, b.Name) })
	return organizations
}
