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
	"net/url"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// Checks of doctor, in the order in which they are made.
const (
	checkKinds    = "kinds"
	checkOperator = "operator"
	checkLeader   = "leader"
	checkRights   = "rights"
	checkSecrets  = "secrets"
	checkCaller   = "you"
	checkIdentity = "identity"
	checkClocks   = "clocks"
	checkEndpoint = "endpoint"
)

// States of a finding.
const (
	// FindingPassed: it is as it should be.
	FindingPassed = "Passed"

	// FindingWrong: somebody has to do something.
	FindingWrong = "Wrong"

	// FindingUnknown: it could not be seen.
	FindingUnknown = "Unknown"
)

// Doctor is what was found out about the installation.
type Doctor struct {
	metav1.TypeMeta `json:",inline"`

	// Healthy: nothing that could be seen is wrong.
	Healthy  bool      `json:"healthy"`
	Findings []Finding `json:"findings"`
}

// Finding is what one check found.
type Finding struct {
	Check string `json:"check"`
	State string `json:"state"`

	// Object is what it is about, as <resource>/<name>, where there is one.
	Object string `json:"object,omitempty"`

	Message string `json:"message"`

	// Fix says what to do.
	Fix string `json:"fix,omitempty"`
}

// doctor makes the checks.
type doctor struct {
	*plugin
	cluster client.Client
	trace   *trace

	// namespace is the operator's, and serviceAccount its own; deployment is nil if there is none that the caller may see.
	namespace, serviceAccount string
	deployment                *appsv1.Deployment

	// instances and classes are nil where the caller may not list them.
	instances *v1alpha1.ClerkInstanceList
	classes   *v1alpha1.TenantClassList

	found Doctor
}

type doctorOptions struct{ url, operatorNamespace string }

func (p *plugin) doctorCommand() *cobra.Command {
	var options doctorOptions
	command := &cobra.Command{
		Use:   "doctor [--url https://HOST/webhooks/INSTANCE]",
		Short: "Look whether the installation is sound, and say how to mend what is not",
		Long: "Look whether the installation is sound: kinds, operator, leader, rights, Secrets (whose values are never shown), identity,\n" +
			"clocks.\n" +
			"With --url it also sends a forged delivery to the endpoint, as an attacker would, which has to be refused. It changes nothing.\n\n" +
			"What you may not see is marked with ?. For the whole picture, run it as a cluster administrator; and with a token of Clerk for\n" +
			"the check of identity.\n\n" +
			"Exit code: 0 nothing that could be seen is wrong, 2 something is, 1 it cannot be told.",
		Example: "  kubectl clerk doctor --url https://clerk-hooks.example.com/webhooks/default",
		Args:    cobra.NoArgs,
		RunE:    func(command *cobra.Command, _ []string) error { return p.doctor(command.Context(), options) },
	}
	command.Flags().StringVar(&options.url, "url", "", "The endpoint as Clerk's dashboard has it, to be tried from here.")
	command.Flags().StringVar(&options.operatorNamespace, "operator-namespace", "",
		"The operator's namespace; where its Deployment is, by default.")
	return command
}

func (p *plugin) doctor(ctx context.Context, options doctorOptions) error {
	if err := p.checkOutput(); err != nil {
		return err
	}
	d := &doctor{plugin: p, trace: &trace{}, namespace: options.operatorNamespace, found: Doctor{TypeMeta: view("Doctor"), Healthy: true}}
	var err error
	if d.cluster, err = p.tracedClient(d.trace); err != nil {
		return err
	}
	if err := d.find(ctx); err != nil {
		return err
	}
	for _, check := range []func(context.Context) error{
		d.checkKinds, d.checkOperator, d.checkLeader, d.checkRights, d.checkSecrets, d.checkCaller, d.checkIdentity, d.checkClocks,
	} {
		if err := check(ctx); err != nil {
			return err
		}
	}
	if options.url != "" {
		d.checkEndpoint(ctx, options.url)
	}
	if !d.found.Healthy {
		p.code = ExitNo
	}
	return p.print(&d.found)
}

// operatorLabel marks what is installed for the operator.
var operatorLabel = client.MatchingLabels{"app.kubernetes.io/name": "clerk-operator"}

// defaultNamespace and defaultAccount are the operator's where nothing says otherwise.
const (
	defaultNamespace = "clerk-operator-system"
	defaultAccount   = "clerk-operator"
)

// find finds the operator, and what the checks are about.
func (d *doctor) find(ctx context.Context) error {
	var deployments appsv1.DeploymentList
	where := d.namespace
	err := d.cluster.List(ctx, &deployments, operatorLabel, client.InNamespace(where))
	if apierrors.IsForbidden(err) && where == "" {
		where = defaultNamespace
		err = d.cluster.List(ctx, &deployments, operatorLabel, client.InNamespace(where))
	}
	if unanswered, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Errorf("the API server does not answer: %w: try kubectl cluster-info, or another context with --context", unanswered.Err)
	}
	if apierrors.IsUnauthorized(err) {
		return fmt.Errorf("the API server does not know you%s: sign in again, or use another context with --context", d.trace.presented())
	}
	if err != nil && !apierrors.IsForbidden(err) {
		return fmt.Errorf("look for the operator's Deployment: %w", err)
	}
	d.serviceAccount = defaultAccount
	if len(deployments.Items) > 0 {
		d.deployment = &deployments.Items[0]
		d.namespace = d.deployment.Namespace
		d.serviceAccount = cmp.Or(d.deployment.Spec.Template.Spec.ServiceAccountName, "default")
	}
	d.namespace = cmp.Or(d.namespace, defaultNamespace)
	return d.list(ctx)
}

// list lists what the checks are about, as far as the caller may.
func (d *doctor) list(ctx context.Context) error {
	var instances v1alpha1.ClerkInstanceList
	var classes v1alpha1.TenantClassList
	switch err := d.cluster.List(ctx, &instances); {
	case err == nil:
		d.instances = &instances
	case !apierrors.IsForbidden(err) && !apierrors.IsNotFound(err):
		return explainList(err, &instances)
	}
	switch err := d.cluster.List(ctx, &classes); {
	case err == nil:
		d.classes = &classes
	case !apierrors.IsForbidden(err) && !apierrors.IsNotFound(err):
		return explainList(err, &classes)
	}
	return nil
}

func (d *doctor) passed(check, format string, args ...any) {
	d.found.Findings = append(d.found.Findings, Finding{Check: check, State: FindingPassed, Message: fmt.Sprintf(format, args...)})
}

func (d *doctor) unknown(check, message, fix string) {
	d.found.Findings = append(d.found.Findings, Finding{Check: check, State: FindingUnknown, Message: message, Fix: fix})
}

func (d *doctor) wrong(check, object, message, fix string) {
	d.found.Healthy = false
	d.found.Findings = append(d.found.Findings, Finding{Check: check, State: FindingWrong, Object: object, Message: message, Fix: fix})
}

func (found *Doctor) names() []string {
	var names []string
	for _, finding := range found.Findings {
		if finding.State == FindingWrong && finding.Object != "" {
			names = append(names, finding.Object)
		}
	}
	return names
}

func (found *Doctor) text(out *page) {
	const indent = "             "
	for _, finding := range found.Findings {
		mark := map[string]string{
			FindingPassed: out.in(green, "✓"), FindingWrong: out.in(red, "✗"), FindingUnknown: out.in(yellow, "?"),
		}[finding.State]
		out.paragraph(fmt.Sprintf("%s %s ", mark, out.in(bold, fmt.Sprintf("%-10s", finding.Check))), indent, finding.Message, plain)
		if finding.Fix != "" {
			out.paragraph(indent+out.in(dim, "→ "), indent+"  ", finding.Fix, plain)
		}
	}
	out.line("")
	if found.Healthy {
		out.line("%s", out.in(green, "Nothing that could be seen is wrong."))
		return
	}
	wrong := 0
	for _, finding := range found.Findings {
		if finding.State == FindingWrong {
			wrong++
		}
	}
	out.line("%s", out.in(red, counted(wrong, "thing is", "things are")+" wrong."))
}
