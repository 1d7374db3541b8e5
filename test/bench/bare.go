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
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
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

// bareTenants is the ServiceAccount that makes plain client-go's namespaces and RoleBindings, with the operator's rights. It is not the
// operator's own: that one is refused whatever is not an organization's (config/admission/tenants_only.yaml), and what it makes for an
// organization would be the running operator's business.
const bareTenants = "bench-bare"

// mirroredKinds are the kinds of what is mirrored.
var mirroredKinds = func() *runtime.Scheme {
	scheme := runtime.NewScheme()
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	return scheme
}()

// bareClient is plain client-go, as whoever has no operator would use it. What is mirrored it writes as the operator's own ServiceAccount,
// all else as one with the same rights, so that authentication and authorization cost the API server the same.
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
	if bare.kubernetes, err = newBareTenants(ctx, b); err != nil {
		return nil, err
	}
	config.APIPath = "/apis"
	config.GroupVersion = &v1alpha1.GroupVersion
	config.NegotiatedSerializer = serializer.NewCodecFactory(mirroredKinds).WithoutConversion()
	bare.parameters = runtime.NewParameterCodec(mirroredKinds)
	bare.mirrored, err = rest.RESTClientFor(config)
	return bare, err
}

// newBareTenants is a client of the ServiceAccount that makes plain client-go's namespaces and RoleBindings.
func newBareTenants(ctx context.Context, b *bench) (kubernetes.Interface, error) {
	objects := []client.Object{
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: operatorproc.Namespace, Name: bareTenants}},
	}
	for _, role := range []string{"clerk-operator", "clerk-operator-bind"} {
		objects = append(objects, &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: bareTenants + "-as-" + role},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: operatorproc.Namespace, Name: bareTenants}},
		})
	}
	for _, object := range objects {
		if err := client.IgnoreAlreadyExists(b.administrator.Create(ctx, object)); err != nil {
			return nil, fmt.Errorf("let plain client-go make namespaces: %w", err)
		}
	}
	config, err := b.plane.ServiceAccountConfig(ctx, operatorproc.Namespace, bareTenants)
	if err != nil {
		return nil, err
	}
	config.UserAgent = bareUserAgent
	return kubernetes.NewForConfig(config)
}

// create is what a generated clientset does, with an object that is encoded already: post it, decode the answer.
func (c *bareClient) create(ctx context.Context, o mirroredObject) error {
	return c.mirrored.Post().
		Resource(o.resource).
		VersionedParams(&metav1.CreateOptions{FieldManager: string(mirror.FieldOwner)}, c.parameters).
		SetHeader("Content-Type", runtime.ContentTypeJSON).
		Body(o.encoded).
		Do(ctx).
		Into(o.empty())
}

// change is the same for an object that exists: its spec is replaced by a JSON patch.
func (c *bareClient) change(ctx context.Context, o mirroredObject) error {
	return c.mirrored.Patch(types.JSONPatchType).
		Resource(o.resource).
		Name(o.name).
		VersionedParams(&metav1.PatchOptions{FieldManager: string(mirror.FieldOwner)}, c.parameters).
		Body(o.change).
		Do(ctx).
		Into(o.empty())
}

// remove deletes one.
func (c *bareClient) remove(ctx context.Context, o mirroredObject) error {
	return c.mirrored.Delete().Resource(o.resource).Name(o.name).Do(ctx).Error()
}

// mirroredObject is an object as the operator writes it.
type mirroredObject struct {
	resource, name  string
	encoded, change []byte
	empty           func() runtime.Object
}

// mirroredFor is the very object that the operator writes for an event of a ClerkInstance: its own code says so, with a client that only
// looks.
func mirroredFor(ctx context.Context, instance string, event clerktest.Event) (mirroredObject, error) {
	decoded, err := clerk.Decode(event.Body())
	if err != nil {
		return mirroredObject{}, err
	}
	object := mirroredObject{
		resource: "clerkorganizations",
		name:     v1alpha1.ObjectName(instance, decoded.Data.EntityID()),
		empty:    func() runtime.Object { return &v1alpha1.ClerkOrganization{} },
	}
	switch decoded.Data.(type) {
	case *clerk.Membership:
		object.resource, object.empty = "clerkmembers", func() runtime.Object { return &v1alpha1.ClerkMember{} }
	case *clerk.User:
		object.resource, object.empty = "clerkusers", func() runtime.Object { return &v1alpha1.ClerkUser{} }
	}
	seen := &onlooker{}
	m := mirror.New(mirror.Options{
		Client: seen, Live: seen, TombstoneRetention: time.Hour, Now: func() time.Time { return decoded.Time },
	})
	outcome, err := m.Apply(ctx, instance, decoded)
	if err == nil && outcome != mirror.Applied {
		err = fmt.Errorf("%s is not applied but %s", event.Type, outcome)
	}
	object.encoded, object.change = seen.created, seen.change
	return object, err
}

// onlooker is a client of an empty cluster that takes every creation, and remembers the last.
type onlooker struct {
	client.Client
	created, change []byte
}

// Get implements client.Reader.
func (*onlooker) Get(_ context.Context, key client.ObjectKey, _ client.Object, _ ...client.GetOption) error {
	return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
}

// Create implements client.Writer.
func (o *onlooker) Create(_ context.Context, object client.Object, _ ...client.CreateOption) error {
	kinds, _, err := mirroredKinds.ObjectKinds(object)
	if err != nil {
		return err
	}
	object.GetObjectKind().SetGroupVersionKind(kinds[0])
	if o.created, err = json.Marshal(object); err != nil {
		return err
	}
	var whole struct {
		Spec json.RawMessage `json:"spec"`
	}
	if err := json.Unmarshal(o.created, &whole); err != nil {
		return err
	}
	o.change, err = json.Marshal([]map[string]any{{"op": "replace", "path": "/spec", "value": whole.Spec}})
	return err
}
