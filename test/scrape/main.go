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

// Command scrape prints what Prometheus would get from a running operator to which about everything has happened that is counted. It
// brings up a control plane, installs the operator, delivers events of every outcome that can be had, and scrapes it over HTTPS as a
// ServiceAccount that may. Then it prints every metric that the code declares, as comments "# DECLARED name label,label". The tests of
// alerts and dashboard (test/monitoring, a module of its own) compare their queries with it.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	_ "github.com/clerk-operator/clerk-operator/internal/metrics" // declares the operator's own
	"github.com/clerk-operator/clerk-operator/test/clerktest"
	"github.com/clerk-operator/clerk-operator/test/controlplane"
	"github.com/clerk-operator/clerk-operator/test/operatorproc"
)

const (
	// scraper and stranger are ServiceAccounts: one may read the metrics, the other may not.
	scraper, stranger = "prometheus", "stranger"
	// secretless is a ClerkInstance without its Secret.
	secretless = "secretless"
	// slug of the organization of this story.
	slug = "acme"

	// patience bounds every wait for a state; the longest on an idle machine is the 15 s between two counts.
	patience = 3 * time.Minute
	// pollInterval is how often the state is looked at.
	pollInterval = 200 * time.Millisecond
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "scrape:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	plane, err := controlplane.Start(ctx, controlplane.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, plane.Stop()) }()
	secret, err := operatorproc.Install(ctx, plane)
	if err != nil {
		return err
	}
	s := &story{plane: plane, secret: secret}
	if s.cluster, err = operatorproc.NewClient(plane); err != nil {
		return err
	}
	if err := s.prepare(ctx); err != nil {
		return err
	}
	if s.operator, err = operatorproc.Start(ctx, plane, operatorproc.Options{}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.operator.Stop()) }()
	if err := s.happen(ctx); err != nil {
		return fmt.Errorf("%w; the end of the operator's log:\n%s", err, s.operator.LogTail())
	}
	text, err := s.scrape(ctx)
	if err != nil {
		return err
	}
	fmt.Print(text)
	return declare(os.Stdout)
}

// story is what happens to one operator.
type story struct {
	plane    *controlplane.ControlPlane
	cluster  client.Client
	operator *operatorproc.Operator
	secret   string
}

// prepare makes what the story needs besides the installation: who scrapes, a ClerkInstance that cannot verify anything, and a class that
// no organization can be served by.
func (s *story) prepare(ctx context.Context) error {
	for _, object := range []client.Object{
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: operatorproc.Namespace, Name: scraper}},
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: operatorproc.Namespace, Name: stranger}},
		&rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: scraper},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "clerk-operator-metrics-reader"},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: operatorproc.Namespace, Name: scraper}},
		},
		&v1alpha1.ClerkInstance{
			ObjectMeta: metav1.ObjectMeta{Name: secretless},
			Spec: v1alpha1.ClerkInstanceSpec{Webhook: v1alpha1.ClerkInstanceWebhook{
				SigningSecretRef: v1alpha1.SecretReference{Name: "missing"},
			}},
		},
		&v1alpha1.TenantClass{
			ObjectMeta: metav1.ObjectMeta{Name: "impossible"},
			Spec: v1alpha1.TenantClassSpec{
				Match: `organization.slug == "impossible"`, Priority: new(int32(10)),
				Namespaces: []v1alpha1.TenantNamespace{{Name: "kube-impossible"}},
			},
		},
	} {
		if err := s.cluster.Create(ctx, object); err != nil {
			return fmt.Errorf("create %T %s: %w", object, object.GetName(), err)
		}
	}
	return nil
}

// happen makes everything happen that is counted.
func (s *story) happen(ctx context.Context) error {
	now := time.Now()
	organization := clerktest.Organization{ID: clerktest.RandomID("org"), Slug: slug, UpdatedAt: now}
	stays := clerktest.Membership{
		ID: clerktest.RandomID("orgmem"), Role: "org:admin", Organization: organization,
		User: clerktest.User{ID: clerktest.RandomID("user")}, UpdatedAt: now,
	}
	leaves := stays
	leaves.ID, leaves.User = clerktest.RandomID("orgmem"), clerktest.User{ID: clerktest.RandomID("user")}
	impossible := clerktest.Organization{ID: clerktest.RandomID("org"), Slug: "impossible", UpdatedAt: now}

	good := s.operator.Sender(operatorproc.Instance, s.secret)
	forger, lost := good, s.operator.Sender(secretless, s.secret)
	forger.Secret = clerktest.NewSecret()
	for _, step := range []struct {
		sender clerktest.Sender
		body   []byte
		status int
	}{
		{good, clerktest.MembershipCreated(stays).Body(), http.StatusNoContent},
		{good, clerktest.MembershipCreated(stays).Body(), http.StatusNoContent}, // a duplicate
		{good, clerktest.MembershipCreated(leaves).Body(), http.StatusNoContent},
		{good, clerktest.OrganizationCreated(impossible).Body(), http.StatusNoContent},
		{good, []byte(`{"type":"organization.created","data":{}}`), http.StatusUnprocessableEntity},
		{forger, clerktest.MembershipCreated(stays).Body(), http.StatusUnauthorized},
		{lost, clerktest.MembershipCreated(stays).Body(), http.StatusServiceUnavailable},
		{s.operator.Sender("nobody", s.secret), clerktest.MembershipCreated(stays).Body(), http.StatusNotFound},
	} {
		status, answer, err := step.sender.Send(ctx, clerktest.Delivery{ID: clerktest.RandomID("msg"), Body: step.body})
		if err != nil || status != step.status {
			return fmt.Errorf("a delivery was answered %d %q (%w), want %d", status, answer, err, step.status)
		}
	}
	if err := s.boundMembers(ctx, 2); err != nil {
		return err
	}
	if status, answer, err := good.Deliver(ctx, clerktest.RandomID("msg"), clerktest.MembershipDeleted(leaves, time.Now())); err != nil ||
		status != http.StatusNoContent {
		return fmt.Errorf("a deletion was answered %d %q (%w)", status, answer, err)
	}
	if err := s.boundMembers(ctx, 1); err != nil {
		return err
	}
	// Somebody else takes the access away, which is put right.
	if err := s.cluster.DeleteAllOf(ctx, &rbacv1.RoleBinding{}, client.InNamespace("org-"+slug),
		client.MatchingLabels{v1alpha1.ManagedByLabel: v1alpha1.ManagedBy}); err != nil {
		return err
	}
	return s.boundMembers(ctx, 1)
}

// boundMembers waits until so many users are named by the operator's RoleBindings.
func (s *story) boundMembers(ctx context.Context, want int) error {
	return until(ctx, func() error {
		var bindings rbacv1.RoleBindingList
		if err := s.cluster.List(ctx, &bindings, client.InNamespace("org-"+slug),
			client.MatchingLabels{v1alpha1.ManagedByLabel: v1alpha1.ManagedBy}); err != nil {
			return err
		}
		users := map[string]bool{}
		for _, binding := range bindings.Items {
			for _, subject := range binding.Subjects {
				users[subject.Name] = true
			}
		}
		if len(users) != want {
			return fmt.Errorf("%d users are bound, want %d", len(users), want)
		}
		return nil
	})
}

// proof is what a scrape has once everything of the story is counted. Counting may take a while.
var proof = []string{
	`clerk_operator_mirror_objects{kind="ClerkMember",state="tombstone"} 1`,
	`clerk_operator_mirror_not_ready{kind="ClerkOrganization",reason="NamespaceNameInvalid"} 1`,
	`clerk_operator_instance_silent_since_timestamp_seconds{instance="default"}`,
	`clerk_operator_access_grant_seconds_count 2`,
	`clerk_operator_access_revocation_seconds_count 1`,
	`clerk_operator_access_pending_revocations 0`,
	`clerk_operator_tenant_drift_repaired_total{kind="RoleBinding"} 1`,
	`leader_election_master_status{name="clerk-operator"} 1`,
}

// scrape is one scrape that has everything.
func (s *story) scrape(ctx context.Context) (text string, err error) {
	if err := s.refusesStrangers(ctx); err != nil {
		return "", err
	}
	token, err := s.token(ctx, scraper)
	if err != nil {
		return "", err
	}
	err = until(ctx, func() error {
		status, body, err := get(ctx, s.operator.MetricsURL(), token)
		if err != nil || status != http.StatusOK {
			return fmt.Errorf("a scrape was answered %d: %w", status, err)
		}
		for _, line := range proof {
			if !strings.Contains(body, "\n"+line) {
				return fmt.Errorf("a scrape has no line %s", line)
			}
		}
		text = body
		return nil
	})
	return text, err
}

func (s *story) refusesStrangers(ctx context.Context) error {
	token, err := s.token(ctx, stranger)
	if err != nil {
		return err
	}
	for token, want := range map[string]int{"": http.StatusUnauthorized, token: http.StatusForbidden} {
		if status, _, err := get(ctx, s.operator.MetricsURL(), token); err != nil || status != want {
			return fmt.Errorf("a stranger's scrape was answered %d (%w), want %d", status, err, want)
		}
	}
	return nil
}

func (s *story) token(ctx context.Context, account string) (string, error) {
	config, err := s.plane.ServiceAccountConfig(ctx, operatorproc.Namespace, account)
	if err != nil {
		return "", err
	}
	return config.BearerToken, nil
}

// insecure is how the chart's ServiceMonitor scrapes: the operator's certificate is its own, and nobody signed it.
var insecure = &http.Client{Transport: &http.Transport{
	TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12},
}}

func get(ctx context.Context, url, token string) (status int, body string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, "", err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := insecure.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	return response.StatusCode, string(content), err
}

// descriptor is how client_golang prints what a metric is; it says it in no other way.
var descriptor = regexp.MustCompile(`^Desc\{fqName: "([^"]+)",.*variableLabels: \{([^}]*)\}\}$`)

// declare prints every metric that is registered, whether or not it has a value.
func declare(out io.Writer) error {
	all, ok := metrics.Registry.(prometheus.Collector)
	if !ok {
		return errors.New("the registry does not tell what it has")
	}
	descriptors := make(chan *prometheus.Desc)
	go func() {
		defer close(descriptors)
		all.Describe(descriptors)
	}()
	var errs []error
	for one := range descriptors {
		parts := descriptor.FindStringSubmatch(one.String())
		if parts == nil {
			errs = append(errs, fmt.Errorf("no name and labels in %s", one))
			continue
		}
		fmt.Fprintf(out, "# DECLARED %s %s\n", parts[1], parts[2])
	}
	return errors.Join(errs...)
}

// until waits until look finds nothing to complain of.
func until(ctx context.Context, look func() error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := look()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(pollInterval):
		}
	}
}
