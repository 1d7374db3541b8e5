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
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/internal/kinds"
)

// checkKinds compares the CustomResourceDefinitions with those of this version.
func (d *doctor) checkKinds(ctx context.Context) error {
	const fix = "bring the kinds up to date, with the files of the operator's version: kubectl apply --server-side --force-conflicts " +
		"--field-manager=helm -f charts/clerk-operator/crds; and use the plugin of that version"
	wanted := kinds.Checksums()
	var missing, other []string
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		crd := &metav1.PartialObjectMetadata{}
		crd.SetGroupVersionKind(crdKind)
		err := d.cluster.Get(ctx, client.ObjectKey{Name: name}, crd)
		short, _, _ := strings.Cut(name, ".")
		switch {
		case apierrors.IsForbidden(err):
			d.unknown(checkKinds, "you may not read CustomResourceDefinitions, so whether the kinds are of this version is not known",
				"ask for the verb get on customresourcedefinitions.apiextensions.k8s.io")
			return nil
		case apierrors.IsNotFound(err):
			missing = append(missing, short)
		case err != nil:
			return fmt.Errorf("read the CustomResourceDefinition %s: %w", name, err)
		case crd.Annotations[kinds.Annotation] != wanted[name]:
			other = append(other, short)
		}
	}
	if len(missing) > 0 {
		d.wrong(checkKinds, "", "the cluster does not have "+strings.Join(missing, ", "), fix)
	}
	if len(other) > 0 {
		d.wrong(checkKinds, "", "not of this version: "+strings.Join(other, ", ")+
			". With older kinds, fields are dropped without a word and rules are missing", fix)
	}
	if len(missing)+len(other) == 0 {
		d.passed(checkKinds, "all CustomResourceDefinitions are of this version")
	}
	return nil
}

// checkOperator looks whether the operator runs.
func (d *doctor) checkOperator(context.Context) error {
	if d.deployment == nil {
		d.unknown(checkOperator, fmt.Sprintf("no Deployment with the label app.kubernetes.io/name=clerk-operator can be seen; the namespace %s "+
			"is taken for the operator's", d.namespace), "install the operator, name its namespace with --operator-namespace, or ask for the "+
			"right to list deployments.apps there")
		return nil
	}
	finding := judgeDeployment(d.deployment)
	if finding.State == FindingWrong {
		d.found.Healthy = false
	}
	d.found.Findings = append(d.found.Findings, finding)
	return nil
}

// judgeDeployment says whether the operator's pods are ready.
func judgeDeployment(deployment *appsv1.Deployment) Finding {
	name := deployment.Namespace + "/" + deployment.Name
	finding := Finding{Check: checkOperator, State: FindingWrong, Object: "deployment.apps/" + deployment.Name}
	wanted := int32(1)
	if deployment.Spec.Replicas != nil {
		wanted = *deployment.Spec.Replicas
	}
	status := &deployment.Status
	look := fmt.Sprintf("see why: kubectl -n %[1]s get pods; kubectl -n %[1]s describe deployment %[2]s; its logs",
		deployment.Namespace, deployment.Name)
	switch {
	case wanted == 0:
		finding.Message = fmt.Sprintf("the Deployment %s is scaled to nothing: Clerk's deliveries fail, and nobody loses access", name)
		finding.Fix = fmt.Sprintf("kubectl -n %s scale deployment %s --replicas=2", deployment.Namespace, deployment.Name)
	case status.AvailableReplicas == 0:
		finding.Message = fmt.Sprintf("no replica of the Deployment %s is available, of %d wanted: Clerk's deliveries fail", name, wanted)
		finding.Fix = look
	case status.ObservedGeneration < deployment.Generation || status.UpdatedReplicas < wanted || status.Replicas > wanted:
		finding.Message = fmt.Sprintf("the Deployment %s is being rolled out: %d of %d replicas are new", name, status.UpdatedReplicas, wanted)
		finding.Fix = fmt.Sprintf("wait for it: kubectl -n %s rollout status deployment %s", deployment.Namespace, deployment.Name)
	case status.AvailableReplicas < wanted:
		finding.Message = fmt.Sprintf("%d of %d replicas of the Deployment %s are available", status.AvailableReplicas, wanted, name)
		finding.Fix = look
	default:
		finding.State, finding.Object = FindingPassed, ""
		finding.Message = fmt.Sprintf("the Deployment %s is available, with %s", name, counted(int(wanted), "replica", "replicas"))
	}
	return finding
}

const (
	// leaseName is the Lease by which the operator's replicas elect the one that reconciles.
	leaseName = "clerk-operator"

	// renewalPatience is how long is waited for a renewal of a Lease whose time looks wrong; its holder renews it every 2 s.
	renewalPatience = 6 * time.Second

	// renewalInterval is how often is looked meanwhile.
	renewalInterval = time.Second

	// maxSkew is how far two clocks may be apart. Clerk's sender and the receiver give each other five minutes.
	maxSkew = time.Minute
)

// checkLeader looks whether an elected replica reconciles, and how its clock goes.
func (d *doctor) checkLeader(ctx context.Context) error {
	lease, err := d.lease(ctx)
	switch {
	case apierrors.IsForbidden(err):
		d.unknown(checkLeader, fmt.Sprintf("you may not read the Lease %s/%s, so whether a replica reconciles is not known",
			d.namespace, leaseName), "ask for the verb get on leases.coordination.k8s.io in that namespace")
		return nil
	case apierrors.IsNotFound(err):
		d.unknown(checkLeader, fmt.Sprintf("there is no Lease %s/%s: no replica was elected, or the operator runs without --leader-elect",
			d.namespace, leaseName), "look at the operator's logs, if there are several replicas")
		return nil
	case err != nil:
		return fmt.Errorf("read the operator's Lease: %w", err)
	}
	judged := judgeLease(lease, d.trace.now(d.Now()))
	for deadline := time.Now().Add(renewalPatience); judged.stale && time.Now().Before(deadline); {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(renewalInterval):
		}
		again, err := d.lease(ctx)
		if apierrors.IsNotFound(err) {
			judged = leaseJudgement{}
			break
		}
		if err != nil {
			return fmt.Errorf("read the operator's Lease: %w", err)
		}
		if !again.Spec.RenewTime.Equal(lease.Spec.RenewTime) {
			judged = leaseJudgement{holder: judged.holder, skew: again.Spec.RenewTime.Sub(d.trace.now(d.Now()))}
		}
	}
	d.noteLeader(judged)
	return nil
}

func (d *doctor) lease(ctx context.Context) (*coordinationv1.Lease, error) {
	var lease coordinationv1.Lease
	err := d.cluster.Get(ctx, client.ObjectKey{Namespace: d.namespace, Name: leaseName}, &lease)
	return &lease, err
}

func (d *doctor) noteLeader(judged leaseJudgement) {
	const object = "lease.coordination.k8s.io/" + leaseName
	switch {
	case judged.holder == "":
		d.wrong(checkLeader, object, "no replica holds the Lease: nobody reconciles",
			"look at the operator's logs: why does no replica run for it?")
	case judged.stale:
		d.wrong(checkLeader, object, fmt.Sprintf(
			"%s holds the Lease and has not renewed it for %s: nobody reconciles, unless its clock is behind",
			judged.holder, judged.age.Round(time.Second)), "look at the operator's pods and their logs")
	case judged.skew > maxSkew || judged.skew < -maxSkew:
		d.wrong(checkClocks, object, fmt.Sprintf("the clock of %s is %s the API server's", judged.holder, apart(judged.skew)),
			"set the clock of its node by NTP: the age of a delivery and of a tombstone is told by it")
	default:
		d.passed(checkLeader, "%s was elected, and renews its Lease", judged.holder)
	}
}

// leaseJudgement is what a Lease says of its holder.
type leaseJudgement struct {
	holder string
	stale  bool
	age    time.Duration

	// skew is by how much the holder's clock seems ahead.
	skew time.Duration
}

// judgeLease judges a Lease by the time of the API server.
func judgeLease(lease *coordinationv1.Lease, now time.Time) leaseJudgement {
	var judged leaseJudgement
	if lease.Spec.HolderIdentity == nil || *lease.Spec.HolderIdentity == "" || lease.Spec.RenewTime == nil {
		return judged
	}
	judged.holder, _, _ = strings.Cut(*lease.Spec.HolderIdentity, "_")
	judged.age = now.Sub(lease.Spec.RenewTime.Time)
	lasts := 15 * time.Second
	if lease.Spec.LeaseDurationSeconds != nil {
		lasts = time.Duration(*lease.Spec.LeaseDurationSeconds) * time.Second
	}
	judged.stale = judged.age > lasts
	judged.skew = min(0, lasts-judged.age)
	if judged.age < 0 {
		judged.skew = -judged.age
	}
	return judged
}

func apart(skew time.Duration) string {
	if skew < 0 {
		return (-skew).Round(time.Second).String() + " behind"
	}
	return skew.Round(time.Second).String() + " ahead of"
}
