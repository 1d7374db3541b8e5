//go:build linux

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

package node_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// headStart is how long a stream runs before something is done to the pods, and after.
const headStart = 2 * time.Second

func killReceiver(t *testing.T, s *story) {
	t.Helper()
	leader := s.leader(t)
	var victim corev1.Pod
	for _, pod := range s.pods(t) {
		if pod.Name != leader {
			victim = pod
		}
	}
	st := startStream(t, s, "receiver")
	time.Sleep(headStart)
	s.kill(t, victim)
	say("killed %s, which only receives", victim.Name)
	s.stillDelivers(t)
	say("two are ready again after %s", s.waitReady(t, victim))
	time.Sleep(headStart)
	st.finish(t)
	s.waitOrganizations(t)
	s.readAfterKill(t, victim)
}

func killLeader(t *testing.T, s *story) {
	t.Helper()
	leader := s.leader(t)
	var victim corev1.Pod
	s.get(t, &victim, namespace, leader)
	before := s.holder(t)
	st := startStream(t, s, "leader")
	time.Sleep(headStart)
	s.kill(t, victim)
	say("killed %s, which leads", leader)
	s.stillDelivers(t)
	took := eventually(t, "another leader", func(ctx context.Context) error {
		var lease coordinationv1.Lease
		if err := s.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: release}, &lease); err != nil {
			return err
		}
		if holder := lease.Spec.HolderIdentity; holder == nil || *holder == "" || *holder == before {
			return errors.New("the lease is held as before")
		}
		return nil
	})
	say("%s leads after %s", s.leader(t), took)
	s.waitReady(t, victim)
	time.Sleep(headStart)
	st.finish(t)
	s.waitOrganizations(t)
	s.stopListening(t)
}

func upgrade(t *testing.T, s *story) {
	t.Helper()
	before := map[types.UID]bool{}
	for _, pod := range s.pods(t) {
		before[pod.UID] = true
	}
	st := startStream(t, s, "upgrade")
	time.Sleep(headStart)
	began := time.Now()
	arguments := append([]string{"upgrade", release, s.chart()}, s.values()...)
	s.helm(t, append(arguments, "--set-string", "podAnnotations.example\\.com/upgraded=yes")...)
	say("helm upgrade --wait: %s", since(began))
	took := eventually(t, "the old pods to be gone", func(ctx context.Context) error {
		var pods corev1.PodList
		if err := s.client.List(ctx, &pods, client.InNamespace(namespace)); err != nil {
			return err
		}
		for _, pod := range pods.Items {
			if before[pod.UID] {
				return fmt.Errorf("%s is still there", pod.Name)
			}
		}
		return nil
	})
	say("the old pods are gone %s later", took)
	time.Sleep(headStart)
	st.finish(t)
	if st.refused > 0 {
		t.Errorf("%d of %d attempts were refused", st.refused, st.attempts)
	}
	s.waitOrganizations(t)
}

// pods are the operator's that are not about to end.
func (s *story) pods(t *testing.T) []corev1.Pod {
	t.Helper()
	var list corev1.PodList
	s.list(t, &list, client.InNamespace(namespace), client.MatchingLabels{"app.kubernetes.io/name": "clerk-operator"})
	var pods []corev1.Pod
	for _, pod := range list.Items {
		if pod.DeletionTimestamp == nil {
			pods = append(pods, pod)
		}
	}
	return pods
}

// holder is who holds the Lease: the pod's name, and a part that is new with each start.
func (s *story) holder(t *testing.T) string {
	t.Helper()
	var lease coordinationv1.Lease
	s.get(t, &lease, namespace, release)
	if lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *lease.Spec.HolderIdentity
}

// leader is the name of the pod that reconciles.
func (s *story) leader(t *testing.T) string {
	t.Helper()
	name, _, _ := strings.Cut(s.holder(t), "_")
	return name
}

// kill ends a pod's program as a crash does, or where that cannot be reached, deletes the pod without a grace period.
func (s *story) kill(t *testing.T, pod corev1.Pod) {
	t.Helper()
	if !s.own {
		if err := s.client.Delete(t.Context(), &pod, client.GracePeriodSeconds(0)); err != nil {
			t.Fatal(err)
		}
		return
	}
	processes, err := filepath.Glob("/proc/[0-9]*/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range processes {
		cgroup, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(cgroup, []byte("pod"+string(pod.UID))) {
			continue
		}
		command, err := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
		if err != nil || !bytes.HasPrefix(command, []byte("/clerk-operator\x00")) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Fatalf("no process of %s is found", pod.Name)
}

// waitReady waits until two pods are ready, and the victim's program is another than before.
func (s *story) waitReady(t *testing.T, victim corev1.Pod) time.Duration {
	t.Helper()
	return eventually(t, "two pods to be ready", func(ctx context.Context) error {
		var list corev1.PodList
		if err := s.client.List(ctx, &list, client.InNamespace(namespace)); err != nil {
			return err
		}
		ready := 0
		for _, pod := range list.Items {
			if len(pod.Status.ContainerStatuses) == 0 || pod.DeletionTimestamp != nil {
				continue
			}
			status := pod.Status.ContainerStatuses[0]
			same := pod.UID == victim.UID && status.RestartCount == victim.Status.ContainerStatuses[0].RestartCount
			if status.Ready && !same {
				ready++
			}
		}
		if ready != 2 {
			return fmt.Errorf("%d are", ready)
		}
		return nil
	})
}

// waitOrganizations waits until every organization has what its class says.
func (s *story) waitOrganizations(t *testing.T) {
	t.Helper()
	took := eventually(t, "every organization to be ready", func(ctx context.Context) error {
		var list v1alpha1.ClerkOrganizationList
		if err := s.client.List(ctx, &list); err != nil {
			return err
		}
		for _, organization := range list.Items {
			ready := meta.FindStatusCondition(organization.Status.Conditions, v1alpha1.ConditionReady)
			if ready == nil || ready.Status != metav1.ConditionTrue || organization.Status.ObservedGeneration != organization.Generation {
				return fmt.Errorf("%s is not: %v", organization.Spec.Slug, ready)
			}
		}
		return nil
	})
	say("all %d organizations are ready %s after the last delivery", len(s.organizations), took)
}
