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

package ui_test

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/controlplane"
)

const (
	// organizationCount and memberCount are how many there are.
	organizationCount = 1000
	memberCount       = 10_000

	// writers is how many objects are written at a time.
	writers = 32
)

// The slugs of the organizations: each of the first with each of the second.
var (
	firstWords = strings.Fields("amber arctic autumn brave bright calm cedar clear clever cobalt copper coral crisp dawn deep early ember " +
		"fern gentle golden granite green happy hazel hidden honest indigo ivory jade keen lively lunar maple mellow misty noble north olive " +
		"quiet silver")
	secondWords = strings.Fields("anchor atlas beacon bridge canyon compass delta engine field forge garden grove harbor lantern meadow " +
		"mill orbit orchard port prairie river signal studio summit works")
)

// lastSlug is that of the organization that the list ends with.
const lastSlug = "silver-works"

var (
	plane *controlplane.ControlPlane

	// cluster writes the operator's kinds.
	cluster *rest.RESTClient
)

// TestMain starts a control plane without a controller manager and without an operator: nothing here is reconciled.
func TestMain(m *testing.M) {
	options := controlplane.Options{
		CRDs:              filepath.Join("..", "..", "..", "config", "crd", "bases"),
		ControllerManager: controlplane.WithoutControllerManager,
	}
	controlplane.Main(m, options, func(_ context.Context, cp *controlplane.ControlPlane) error {
		plane = cp
		scheme := runtime.NewScheme()
		if err := v1alpha1.AddToScheme(scheme); err != nil {
			return err
		}
		config := cp.Config()
		config.APIPath, config.GroupVersion = "/apis", &v1alpha1.GroupVersion
		config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
		var err error
		cluster, err = rest.RESTClientFor(config)
		return err
	})
}

// fill writes organizations as the operator would leave them, and their members.
func fill(ctx context.Context) error {
	writing, ctx := errgroup.WithContext(ctx)
	writing.SetLimit(writers)
	for i := range organizationCount {
		writing.Go(func() error { return writeOrganization(ctx, i) })
	}
	for i := range memberCount {
		writing.Go(func() error { return create(ctx, "clerkmembers", member(i)) })
	}
	return writing.Wait()
}

func create(ctx context.Context, resource string, object runtime.Object) error {
	return cluster.Post().Resource(resource).Body(object).Do(ctx).Error()
}

func slugOf(i int) string {
	return firstWords[i%len(firstWords)] + "-" + secondWords[i/len(firstWords)]
}

func writeOrganization(ctx context.Context, i int) error {
	organization := &v1alpha1.ClerkOrganization{}
	spec := &organization.Spec
	spec.Instance, spec.ID, spec.Slug, spec.UpdatedAt = "default", fmt.Sprintf("org_2%04d", i), slugOf(i), new(metav1.NowMicro())
	first, second, _ := strings.Cut(spec.Slug, "-")
	spec.Name = strings.ToUpper(first[:1]) + first[1:] + " " + strings.ToUpper(second[:1]) + second[1:]
	organization.Name = fmt.Sprintf("default.org-2%04d", i)
	organization.Labels = map[string]string{v1alpha1.OrganizationIDLabel: spec.ID, v1alpha1.SlugLabel: spec.Slug}
	if err := create(ctx, "clerkorganizations", organization); err != nil {
		return err
	}
	ready := metav1.Condition{
		Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonReady, LastTransitionTime: metav1.Now(),
	}
	if i%97 == 5 {
		ready.Status, ready.Reason, ready.Message = metav1.ConditionFalse, v1alpha1.ReasonQuotaExceeded, "the quota is used up"
	}
	status, err := json.Marshal(map[string]any{"status": v1alpha1.ClerkOrganizationStatus{
		ClassName: []string{"standard", "standard", "starter", "enterprise"}[i*7%4], Members: new(int32(memberCount / organizationCount)),
		Namespaces: []v1alpha1.OrganizationNamespace{{Name: "org-" + spec.Slug, State: v1alpha1.NamespaceActive}},
		Conditions: []metav1.Condition{ready},
	}})
	if err != nil {
		return err
	}
	return cluster.Patch(types.MergePatchType).Resource("clerkorganizations").Name(organization.Name).SubResource("status").
		Body(status).Do(ctx).Error()
}

func addressOf(i int) string { return fmt.Sprintf("person-%05d@example.com", i) }

func member(i int) *v1alpha1.ClerkMember {
	member := &v1alpha1.ClerkMember{}
	spec := &member.Spec
	spec.Instance, spec.ID, spec.UserID = "default", fmt.Sprintf("orgmem_2%05d", i), fmt.Sprintf("user_2%05d", i)
	spec.OrganizationID, spec.Role, spec.UpdatedAt = fmt.Sprintf("org_2%04d", i%organizationCount), "org:member", new(metav1.NowMicro())
	spec.User = v1alpha1.ClerkMemberUser{Identifier: addressOf(i), FirstName: "Person", LastName: fmt.Sprint(i)}
	member.Name = fmt.Sprintf("default.orgmem-2%05d", i)
	member.Labels = map[string]string{v1alpha1.OrganizationIDLabel: spec.OrganizationID, v1alpha1.UserIDLabel: spec.UserID}
	return member
}
