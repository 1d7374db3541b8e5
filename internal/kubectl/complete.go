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
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

const (
	// completionTimeout is how long a shell waits for names.
	completionTimeout = 3 * time.Second

	// maxCompleted is how many objects of a kind are looked at: shells show no more than a screen of names.
	maxCompleted = 5000
)

// names are texts that complete an argument, each with what stands beside it in the shell.
type names func(ctx context.Context, cluster client.Client) ([]string, error)

// addCompletions has the shell complete names of what there is in the cluster.
func (p *plugin) addCompletions(root *cobra.Command) {
	instances := p.complete(instanceNames)
	for command, function := range map[string]cobra.CompletionFunc{
		"why": p.complete(userNames), "who": p.complete(organizationNames, namespaceNames), "tree": p.complete(organizationNames),
		"events": p.complete(organizationNames), "resync": instances, "prune show": instances, "prune release": p.complete(heldNames),
		"send": completeType, "listen": instances,
	} {
		found, _, err := root.Find(strings.Fields(command))
		if err != nil || found.CommandPath() != root.CommandPath()+" "+command {
			panic("there is no command " + command)
		}
		found.ValidArgsFunction = function
	}
	noFiles := cobra.ShellCompDirectiveNoFileComp
	for _, value := range []struct {
		command, flag string
		function      cobra.CompletionFunc
	}{
		{"why", "organization", p.completeValue(organizationNames)},
		{"why", "namespace", p.completeValue(namespaceNames)},
		{"send", "instance", p.completeValue(instanceNames)},
		{"listen", "relay", cobra.FixedCompletions([]string{relayAuto, relayNever}, noFiles)},
	} {
		command, _, _ := root.Find([]string{value.command})
		if err := command.RegisterFlagCompletionFunc(value.flag, value.function); err != nil {
			panic(err) // the flags are constants
		}
	}
	for flag, values := range map[string][]string{"output": {formJSON, formYAML, formName, formWide}, "color": {"auto", "always", "never"}} {
		if err := root.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, noFiles)); err != nil {
			panic(err)
		}
	}
}

// complete completes the first argument by names of several kinds. What the caller may not list is left out.
func (p *plugin) complete(sources ...names) cobra.CompletionFunc {
	return func(command *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return p.completeValue(sources...)(command, args, typed)
	}
}

// completeValue completes the value of a flag.
func (p *plugin) completeValue(sources ...names) cobra.CompletionFunc {
	return func(command *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		parent := command.Context()
		if parent == nil {
			parent = context.Background()
		}
		ctx, cancel := context.WithTimeout(parent, completionTimeout)
		defer cancel()
		cluster, err := p.client()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var found []string
		for _, source := range sources {
			texts, err := source(ctx, cluster)
			if err != nil {
				continue // a shell has no place for errors
			}
			for _, text := range texts {
				if text = cleanCompletion(text); strings.HasPrefix(text, typed) && hasPlainName(text) {
					found = append(found, text)
				}
			}
		}
		slices.Sort(found)
		return slices.Compact(found), cobra.ShellCompDirectiveNoFileComp
	}
}

// plainName is a name that no shell reads anything into: shells put what is common to several of them on the command line as it stands.
var plainName = regexp.MustCompile(`^[A-Za-z0-9_+][A-Za-z0-9._@+:/-]*$`)

func hasPlainName(text string) bool {
	name, _, _ := strings.Cut(text, "\t")
	return plainName.MatchString(name)
}

// cleanCompletion cleans a name and what stands beside it, which are divided by a tab.
func cleanCompletion(text string) string {
	name, beside, found := strings.Cut(text, "\t")
	if !found {
		return clean(name)
	}
	return clean(name) + "\t" + clean(beside)
}

// listSome lists the first objects of a kind.
func listSome[T any, L any, P interface {
	*L
	client.ObjectList
}](ctx context.Context, cluster client.Client, items func(*L) []T, options ...client.ListOption) ([]T, error) {
	var found []T
	token := ""
	for len(found) < maxCompleted {
		list := P(new(L))
		if err := cluster.List(ctx, list, append(options, client.Limit(pageSize), client.Continue(token))...); err != nil {
			return nil, err
		}
		found = append(found, items((*L)(list))...)
		if token = list.GetContinue(); token == "" {
			break
		}
	}
	return found, nil
}

// completeType completes a type of event, with what it does. The cluster is not asked.
func completeType(_ *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	var found []string
	for _, eventType := range listTypes().Types {
		if len(args) == 0 && strings.HasPrefix(eventType.Name, typed) {
			found = append(found, eventType.Name+"\t"+eventType.Effect)
		}
	}
	return found, cobra.ShellCompDirectiveNoFileComp
}

// instanceNames are the ClerkInstances.
func instanceNames(ctx context.Context, cluster client.Client) ([]string, error) {
	instances, err := listSome(ctx, cluster, func(l *v1alpha1.ClerkInstanceList) []v1alpha1.ClerkInstance { return l.Items })
	var found []string
	for i := range instances {
		found = append(found, instances[i].Name)
	}
	return found, err
}

// organizationNames are the organizations that are not deleted: by slug or, without one, by id.
func organizationNames(ctx context.Context, cluster client.Client) ([]string, error) {
	organizations, err := listSome(ctx, cluster, func(l *v1alpha1.ClerkOrganizationList) []v1alpha1.ClerkOrganization { return l.Items })
	var found []string
	for i := range organizations {
		spec := &organizations[i].Spec
		switch {
		case spec.DeletedAt != nil:
		case spec.Slug != "":
			found = append(found, spec.Slug+"\t"+spec.Name)
		default:
			found = append(found, spec.ID+"\t"+spec.Name)
		}
	}
	return found, err
}

// namespaceNames are the namespaces of organizations.
func namespaceNames(ctx context.Context, cluster client.Client) ([]string, error) {
	namespaces, err := listSome(ctx, cluster, func(l *corev1.NamespaceList) []corev1.Namespace { return l.Items },
		client.HasLabels{v1alpha1.OrganizationIDLabel})
	var found []string
	for i := range namespaces {
		found = append(found, namespaces[i].Name+"\tnamespace")
	}
	return found, err
}

// userNames are people: by what they sign in with and by the id.
func userNames(ctx context.Context, cluster client.Client) ([]string, error) {
	members, err := listSome(ctx, cluster, func(l *v1alpha1.ClerkMemberList) []v1alpha1.ClerkMember { return l.Items })
	var found []string
	for i := range members {
		spec := &members[i].Spec
		if spec.UserID == "" {
			continue
		}
		found = append(found, spec.UserID+"\t"+spec.User.Identifier)
		if spec.User.Identifier != "" {
			found = append(found, spec.User.Identifier+"\t"+spec.UserID)
		}
	}
	return found, err
}

// heldNames are what prune can release.
func heldNames(ctx context.Context, cluster client.Client) ([]string, error) {
	instances, err := listSome(ctx, cluster, func(l *v1alpha1.ClerkInstanceList) []v1alpha1.ClerkInstance { return l.Items })
	var found []string
	for i := range instances {
		status := &instances[i].Status
		for name, what := range map[string]string{status.HeldPrune.Plan: "removals", status.Contradiction.Name: "contradiction"} {
			if name != "" {
				found = append(found, name+"\t"+what)
			}
		}
	}
	return found, err
}
