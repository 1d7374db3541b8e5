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

package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/controlplane"
	"github.com/clerk-operator/clerk-operator/test/operatorproc"
)

const (
	// patience is how long anything may take on a busy machine.
	patience = 60 * time.Second

	// pollInterval is how often the cluster is looked at.
	pollInterval = 50 * time.Millisecond

	// defaultChecks is how many random histories are played. Each takes a few seconds: -rapid.checks plays more.
	defaultChecks = 10
)

var (
	plane *controlplane.ControlPlane

	// cluster acts as the administrator and reads from the API server itself.
	cluster client.WithWatch

	// account is who the operator acts as: its own ServiceAccount.
	account *rest.Config

	// signingSecret is that of the ClerkInstance "default".
	signingSecret string

	// logs sees everything that the operator logs, in every test.
	logs = &leakDetector{}
)

func TestMain(m *testing.M) {
	flag.Parse()
	setUnlessGiven("rapid.checks", fmt.Sprint(defaultChecks))
	captureLogs()
	crds := filepath.Join("..", "..", "config", "crd", "bases")
	controlplane.Main(watchful{m}, controlplane.Options{CRDs: crds}, setUp)
}

// setUnlessGiven gives a flag another default.
func setUnlessGiven(name, value string) {
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == name })
	if given {
		return
	}
	if err := flag.Set(name, value); err != nil {
		panic(err) // no such flag: a mistake in this file
	}
}

// logLevel is as talkative as anybody would make the operator with --zap-log-level.
const logLevel = "--zap-log-level=6"

// captureLogs sends what the operator and the Kubernetes libraries log to the leak detector.
func captureLogs() {
	var options zap.Options
	flags := flag.NewFlagSet("logging", flag.PanicOnError)
	options.BindFlags(flags)
	_ = flags.Parse([]string{logLevel}) // it panics instead
	logger := zap.New(zap.UseFlagOptions(&options), zap.WriteTo(logs))
	ctrl.SetLogger(logger)
	klog.SetLogger(logger)
}

// watchful fails the tests, whatever else they say, if anything leaked into the logs in any of them.
type watchful struct {
	tests *testing.M
}

// Run implements what controlplane.Main asks for.
func (w watchful) Run() int {
	code := w.tests.Run()
	if leaks := logs.leaks(); len(leaks) > 0 {
		fmt.Fprintf(os.Stderr, "the logs hold personal data or secrets:\n%s\n", join(leaks))
		return max(code, 1)
	}
	return code
}

// setUp does what an administrator does: installs the operator and makes classes of tenants.
func setUp(ctx context.Context, cp *controlplane.ControlPlane) error {
	plane = cp
	var err error
	if signingSecret, err = operatorproc.Install(ctx, cp); err != nil {
		return err
	}
	if err := operatorproc.AllowClusterGrants(ctx, cp, staffRole); err != nil {
		return err
	}
	logs.watchFor(signingSecret)
	if account, err = cp.ServiceAccountConfig(ctx, operatorproc.Namespace, operatorproc.ServiceAccount); err != nil {
		return err
	}
	reader, err := operatorproc.NewClient(cp)
	if err != nil {
		return err
	}
	if cluster, err = client.NewWithWatch(cp.Config(), client.Options{Scheme: reader.Scheme()}); err != nil {
		return err
	}
	for _, class := range []*v1alpha1.TenantClass{goldClass(), silverClass(), endingClass()} {
		if err := cluster.Create(ctx, class); err != nil {
			return err
		}
	}
	return nil
}

// whenOwner is for those whose organization owns a domain.
var whenOwner = fmt.Sprintf("organization.domains.exists(d, d.name == %q)", ownDomain)

// goldClass is for organizations whose public metadata says so. Its first namespace has the template of the class "default". Its namespaces
// list the organization's own domains, and by one of these, members get more.
func goldClass() *v1alpha1.TenantClass {
	return &v1alpha1.TenantClass{
		ObjectMeta: metav1.ObjectMeta{Name: planGold},
		Spec: v1alpha1.TenantClassSpec{
			Match: `organization.publicMetadata.plan == "gold"`,
			Hosts: v1alpha1.HostsOwnDomains,
			Namespaces: []v1alpha1.TenantNamespace{
				{Name: templateOrg, RoleBindings: []v1alpha1.TenantRoleBinding{
					{Role: roleAdmin, ClusterRole: "admin"}, {Role: roleMember, ClusterRole: "edit"},
				}},
				{Name: templateData, RoleBindings: []v1alpha1.TenantRoleBinding{
					{Role: roleAdmin, ClusterRole: "admin"}, {Permission: permissionRead, ClusterRole: "view"},
					{Role: roleMember, ClusterRole: "edit", When: whenOwner},
				}},
			},
		},
	}
}

// endingClass has what a test gives an end.
func endingClass() *v1alpha1.TenantClass {
	return &v1alpha1.TenantClass{
		ObjectMeta: metav1.ObjectMeta{Name: planEnding},
		Spec: v1alpha1.TenantClassSpec{
			Match: `organization.publicMetadata.plan == "ending"`,
			Namespaces: []v1alpha1.TenantNamespace{{Name: templateEnds, RoleBindings: []v1alpha1.TenantRoleBinding{
				{Role: roleAdmin, ClusterRole: "admin"}, {Role: roleMember, ClusterRole: "view"},
			}}},
		},
	}
}

// Those on call are so by what the application stores with the membership, and until when.
const (
	whenOnCall  = "member.publicMetadata.?oncall.orValue(false) == true"
	untilOnCall = "member.publicMetadata.?until"
)

// silverClass has one namespace, with a template of its own, in which members are admins while they are on call. What somebody has there depends
// on the user and on the plan of the organization, too.
func silverClass() *v1alpha1.TenantClass {
	return &v1alpha1.TenantClass{
		ObjectMeta: metav1.ObjectMeta{Name: planSilver},
		Spec: v1alpha1.TenantClassSpec{
			Match: `organization.publicMetadata.plan == "silver"`,
			Namespaces: []v1alpha1.TenantNamespace{{Name: templateTeam, RoleBindings: []v1alpha1.TenantRoleBinding{
				{Role: roleAdmin, ClusterRole: "edit"}, {Role: roleMember, ClusterRole: "view"},
				{Role: roleMember, ClusterRole: "admin", When: whenOnCall, Until: untilOnCall},
				{Role: roleMember, ClusterRole: "edit", When: fmt.Sprintf("organization.plan == %q", planPro)},
				{Role: roleAdmin, ClusterRole: "admin", When: "user.twoFactorEnabled"},
			}}},
		},
	}
}
