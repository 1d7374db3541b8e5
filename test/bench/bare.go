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
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/clerk"
	"github.com/clerk-operator/clerk-operator/internal/mirror"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
	"github.com/clerk-operator/clerk-operator/test/operatorproc"
)

// bareUserAgent tells the requests of plain client-go apart in the audit log.
const bareUserAgent = "bench-bare"

// bareClient is plain client-go, as whoever has no operator would use it. It acts as the operator's own ServiceAccount, so that
// authentication and authorization cost the API server the same.
type bareClient struct {
	mirrored   *rest.RESTClient
	parameters runtime.ParameterCodec
	kubernetes kubernetes.Interface
}

func newBareClient(ctx context.Context, b *bench) (*bareClient, error) {
	config, err := b.plane.ServiceAccountConfig(ctx, operatorproc.Namespace, operatorproc.ServiceAccount)
	if err != nil {
		return nil, err
	}
	config.UserAgent = bareUserAgent
	bare := &bareClient{}
	if bare.kubernetes, err = kubernetes.NewForConfig(config); err != nil {
		return nil, err
	}
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	config.APIPath = "/apis"
	config.GroupVersion = &v1alpha1.GroupVersion
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	bare.parameters = runtime.NewParameterCodec(scheme)
	bare.mirrored, err = rest.RESTClientFor(config)
	return bare, err
}

// apply is what a generated clientset does, with an object that is encoded already: patch by force, decode the answer.
func (c *bareClient) apply(ctx context.Context, o appliedObject) error {
	return c.mirrored.Patch(types.ApplyPatchType).
		Resource(o.resource).
		Name(o.name).
		VersionedParams(&metav1.PatchOptions{FieldManager: string(mirror.FieldOwner), Force: new(true)}, c.parameters).
		Body(o.encoded).
		Do(ctx).
		Into(o.empty())
}

// appliedObject is an object for server-side apply.
type appliedObject struct {
	resource, name string
	encoded        []byte
	empty          func() runtime.Object
}

// appliedFor is the very object that the operator applies for an event: its own code says so, with a client that only looks.
func appliedFor(ctx context.Context, event clerktest.Event) (appliedObject, error) {
	decoded, err := clerk.Decode(event.Body())
	if err != nil {
		return appliedObject{}, err
	}
	object := appliedObject{
		resource: "clerkorganizations",
		name:     v1alpha1.ObjectName(operatorproc.Instance, decoded.Data.EntityID()),
		empty:    func() runtime.Object { return &v1alpha1.ClerkOrganization{} },
	}
	if _, isMember := decoded.Data.(*clerk.Membership); isMember {
		object.resource, object.empty = "clerkmembers", func() runtime.Object { return &v1alpha1.ClerkMember{} }
	}
	seen := &onlooker{}
	m := mirror.New(mirror.Options{
		Client: seen, Live: seen, TombstoneRetention: time.Hour, Now: func() time.Time { return decoded.Time },
	})
	outcome, err := m.Apply(ctx, operatorproc.Instance, decoded)
	if err == nil && outcome != mirror.Applied {
		err = fmt.Errorf("%s is not applied but %s", event.Type, outcome)
	}
	object.encoded = seen.applied
	return object, err
}

// onlooker is a client of an empty cluster that takes every apply, and remembers the last.
type onlooker struct {
	client.Client
	applied []byte
}

// Get implements client.Reader.
func (*onlooker) Get(_ context.Context, key client.ObjectKey, _ client.Object, _ ...client.GetOption) error {
	return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
}

// Patch implements client.Writer.
func (o *onlooker) Patch(_ context.Context, object client.Object, patch client.Patch, _ ...client.PatchOption) error {
	if patch.Type() != types.ApplyPatchType {
		return fmt.Errorf("a patch of type %s is no apply", patch.Type())
	}
	var err error
	if o.applied, err = patch.Data(object); err != nil {
		return err
	}
	return json.Unmarshal(o.applied, object)
}

// Labels and annotations of the bare namespaces: as many and as long as those of the operator's, but not its own, so that it does not
// take them for its business.
const (
	podSecurity         = "pod-security.kubernetes.io/enforce"
	bareOrganization    = "bare-operator.io/organization-id"
	bareManagedBy       = "app.kubernetes.io/made-by"
	bareTemplate        = "bare-operator.io/name-template"
	bareManagedMetadata = "bare-operator.io/managed-metadata"
)

// provision creates a namespace and its three RoleBindings, each with its subject: what the operator makes of one organization.
func (c *bareClient) provision(
	ctx context.Context, owner *rbacv1.ClusterRole, o clerktest.Organization, members []clerktest.Membership,
) error {
	labels := map[string]string{bareOrganization: o.ID, bareManagedBy: "clerk-operator"}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name:   namespaceOf(o),
		Labels: map[string]string{bareOrganization: o.ID, bareManagedBy: "clerk-operator", podSecurity: "baseline"},
		Annotations: map[string]string{
			bareTemplate:        "org-${organization.handle}",
			bareManagedMetadata: `{"labels":["` + podSecurity + `"]}`,
		},
	}}
	if _, err := c.kubernetes.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("create the namespace %s: %w", namespace.Name, err)
	}
	for i, g := range grants {
		binding := &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{
				Name: "bare:" + g.clusterRole, Labels: labels,
				OwnerReferences: []metav1.OwnerReference{{
					APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "ClusterRole", Name: owner.Name, UID: owner.UID,
				}},
			},
			RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: g.clusterRole},
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: subjectOf(members[i])}},
		}
		if _, err := c.kubernetes.RbacV1().RoleBindings(namespace.Name).Create(ctx, binding, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("create a RoleBinding in %s: %w", namespace.Name, err)
		}
	}
	return nil
}
