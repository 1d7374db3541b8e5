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

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
	"github.com/clerk-operator/clerk-operator/test/controlplane"
	"github.com/clerk-operator/clerk-operator/test/operatorproc"
)

const (
	// leaseName is the Lease by which the operator's replicas elect their leader.
	leaseName = "clerk-operator"

	// readers is the ServiceAccount and the ClusterRoleBinding with which the benchmark reads the operator's metrics.
	readers = "bench"

	// auditPolicy logs who asked for what, and leaves out the questions that the benchmark itself asks all the time, and the control
	// plane's own housekeeping.
	auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  users: ["system:apiserver", "system:kube-controller-manager"]
- level: None
  userGroups: ["system:serviceaccounts:kube-system"]
- level: None
  users: ["admin"]
- level: Metadata
`
)

// bench is the control plane that everything is measured on, and who acts on it.
type bench struct {
	sizes  sizes
	report *report

	// ctx ends when the person interrupts, or a component or the operator dies.
	ctx    context.Context
	cancel context.CancelCauseFunc

	// profiles is the folder for profiles; empty where none are wanted.
	profiles string

	folder        string
	plane         *controlplane.ControlPlane
	administrator client.Client
	kubernetes    kubernetes.Interface
	secret        string

	// replica is the operator's process, nil while none runs, and what it does.
	replica *operatorproc.Operator
	does    role
	metrics *metricsReader

	requests *auditLog
}

func newBench(ctx context.Context, o options, report *report) (*bench, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	b := &bench{sizes: sizesFor(o.quick), profiles: o.profiles, report: report, ctx: ctx, cancel: cancel}
	if err := b.start(ctx); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

func (b *bench) start(ctx context.Context) error {
	root, err := controlplane.Root()
	if err != nil {
		return err
	}
	if b.folder, err = os.MkdirTemp("", "clerk-operator-bench-"); err != nil {
		return err
	}
	policy := filepath.Join(b.folder, "audit-policy.yaml")
	if err := os.WriteFile(policy, []byte(auditPolicy), 0o600); err != nil {
		return err
	}
	progress("starting a control plane")
	b.plane, err = controlplane.Start(ctx, controlplane.Options{
		CRDs:        filepath.Join(root, "config", "crd", "bases"),
		AuditLog:    filepath.Join(b.folder, "audit.log"),
		AuditPolicy: policy,
		Profiling:   b.profiles != "",
	})
	if err != nil {
		return err
	}
	go func() {
		if err := b.plane.Wait(ctx); err != nil {
			b.cancel(err)
		}
	}()
	b.requests = &auditLog{plane: b.plane}
	if b.administrator, err = operatorproc.NewClient(b.plane); err != nil {
		return err
	}
	if b.kubernetes, err = kubernetes.NewForConfig(b.plane.Config()); err != nil {
		return err
	}
	version, err := b.kubernetes.Discovery().ServerVersion()
	if err != nil {
		return err
	}
	b.report.cluster(version.GitVersion)
	return b.install(ctx)
}

// install installs the operator's manifests, with a TenantClass for three roles instead of the sample's two.
func (b *bench) install(ctx context.Context) error {
	var err error
	if b.secret, err = operatorproc.Install(ctx, b.plane); err != nil {
		return err
	}
	class := &v1alpha1.TenantClass{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
	if err := b.administrator.Get(ctx, client.ObjectKeyFromObject(class), class); err != nil {
		return err
	}
	class.Spec.Namespaces = []v1alpha1.TenantNamespace{{
		Name:         "org-${organization.handle}",
		Labels:       map[string]string{podSecurity: "baseline"},
		RoleBindings: roleBindings(),
	}}
	if err := b.administrator.Update(ctx, class); err != nil {
		return fmt.Errorf("change the TenantClass: %w", err)
	}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: operatorproc.Namespace, Name: readers}}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: readers},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "clerk-operator-metrics-reader"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: operatorproc.Namespace, Name: readers}},
	}
	for _, object := range []client.Object{account, binding} {
		if err := b.administrator.Create(ctx, object); err != nil {
			return fmt.Errorf("let the benchmark read metrics: %w", err)
		}
	}
	config, err := b.plane.ServiceAccountConfig(ctx, operatorproc.Namespace, readers)
	if err != nil {
		return err
	}
	b.metrics = &metricsReader{token: config.BearerToken, http: &http.Client{Transport: &http.Transport{
		// The operator's certificate is its own; the address is on this machine.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13},
	}}}
	return nil
}

// role says what a replica is to do.
type role int

const (
	// receiving: another one is the leader, so this one receives and fills its caches, and reconciles nothing.
	receiving role = iota

	// leading: this one reconciles as well.
	leading
)

// startReplica starts the operator, unless it runs, and returns when it does what it is to do.
func (b *bench) startReplica(ctx context.Context, as role) error {
	if b.replica != nil {
		return nil
	}
	if err := b.prepareLease(ctx, as); err != nil {
		return fmt.Errorf("prepare the Lease: %w", err)
	}
	var err error
	b.replica, err = operatorproc.Start(ctx, b.plane, operatorproc.Options{
		Died:      func(err error) { b.cancel(fmt.Errorf("the operator died: %w", err)) },
		Profiling: b.profiles != "",
		Args:      []string{"--sink-allow-local-targets", "--database-allow-local-targets"},
	})
	if err != nil {
		return err
	}
	b.does, b.metrics.url = as, b.replica.MetricsURL()
	return until(ctx, "the operator does what it is to do", 20*time.Millisecond, func(ctx context.Context) (bool, error) {
		now, err := b.metrics.read(ctx) // An error says that the metrics are not served yet.
		return err == nil && (as == receiving || now.sum("leader_election_master_status") == 1), nil
	})
}

// lead sees to it that the operator runs and leads, with nothing mirrored that it would have to catch up with.
func (b *bench) lead(ctx context.Context) error {
	if b.replica != nil && b.does == receiving {
		if err := b.forgetDeliveries(ctx); err != nil {
			return err
		}
	}
	return b.startReplica(ctx, leading)
}

// otherReplica is who leads while the operator is not to.
const otherReplica = "bench"

// prepareLease makes somebody else the leader, for long, or no longer.
func (b *bench) prepareLease(ctx context.Context, as role) error {
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: operatorproc.Namespace, Name: leaseName}}
	err := b.administrator.Get(ctx, client.ObjectKeyFromObject(lease), lease)
	if client.IgnoreNotFound(err) != nil {
		return err
	}
	exists, held := err == nil, lease.Spec.HolderIdentity != nil && *lease.Spec.HolderIdentity == otherReplica
	if exists && (as == receiving || held) {
		if err := b.administrator.Delete(ctx, lease); err != nil {
			return err
		}
	}
	if as == leading {
		return nil
	}
	now := metav1.NewMicroTime(time.Now())
	return b.administrator.Create(ctx, &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: lease.Namespace, Name: lease.Name},
		Spec: coordinationv1.LeaseSpec{
			HolderIdentity: new(otherReplica), LeaseDurationSeconds: new(int32(24 * 60 * 60)), AcquireTime: &now, RenewTime: &now,
		},
	})
}

func (b *bench) stopReplica() error {
	if b.replica == nil {
		return nil
	}
	replica := b.replica
	b.replica = nil
	return replica.Stop()
}

// sender is Clerk.
func (b *bench) sender() clerktest.Sender { return b.replica.Sender(operatorproc.Instance, b.secret) }

// deliver sends an event and insists on its being accepted.
func deliver(ctx context.Context, sender clerktest.Sender, id string, body []byte) error {
	status, answer, err := sender.Send(ctx, clerktest.Delivery{ID: id, Body: body})
	if err != nil {
		return err
	}
	if status != http.StatusNoContent {
		return fmt.Errorf("a delivery was answered with %d: %s", status, answer)
	}
	return nil
}

func (b *bench) close() error {
	b.cancel(nil)
	errs := []error{b.stopReplica()}
	if b.plane != nil {
		errs = append(errs, b.plane.Stop())
	}
	if b.folder != "" {
		errs = append(errs, os.RemoveAll(b.folder))
	}
	return errors.Join(errs...)
}
