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

package v1alpha1_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/controlplane"
)

var (
	crds = filepath.Join("..", "..", "config", "crd", "bases")

	plane   *controlplane.ControlPlane
	cluster client.Client
)

func TestMain(m *testing.M) {
	options := controlplane.Options{CRDs: crds, ControllerManager: controlplane.WithoutControllerManager}
	controlplane.Main(m, options, func(_ context.Context, cp *controlplane.ControlPlane) error {
		plane = cp
		scheme := runtime.NewScheme()
		if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
			return err
		}
		var err error
		cluster, err = client.New(cp.Config(), client.Options{Scheme: scheme})
		return err
	})
}

var serial atomic.Int64

// newName is a name that no other test uses.
func newName() string { return fmt.Sprintf("object-%d", serial.Add(1)) }

// apply applies, as the one owner of its fields, an object with this spec, which is YAML.
func apply(ctx context.Context, kind, name, spec string) error {
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(spec), &object.Object); err != nil {
		return err
	}
	object.Object = map[string]any{"spec": object.Object}
	object.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kind))
	object.SetName(name)
	return cluster.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), client.FieldOwner("test"), client.ForceOwnership)
}

// invalidValue is what stands before a rule's message: the value, or in Kubernetes 1.32 its type.
var invalidValue = regexp.MustCompile(`^Invalid value: "[^"]*": `)

// refusals are what the API server names as causes, one a line: type, field and message.
func refusals(err error) string {
	status, ok := errors.AsType[*apierrors.StatusError](err)
	if !ok || !apierrors.IsInvalid(err) || status.ErrStatus.Details == nil {
		return fmt.Sprint(err)
	}
	var lines []string
	for _, cause := range status.ErrStatus.Details.Causes {
		if cause.Field == "<nil>" {
			continue // that rules were left out, since the object is wrong anyway
		}
		message := invalidValue.ReplaceAllString(cause.Message, "Invalid value: ")
		lines = append(lines, fmt.Sprintf("%s %s: %s", cause.Type, cause.Field, message))
	}
	return strings.Join(lines, "\n")
}

// get reads an object.
func get[T any, P interface {
	*T
	client.Object
}](t *testing.T, name string) *T {
	t.Helper()
	object := P(new(T))
	if err := cluster.Get(t.Context(), client.ObjectKey{Name: name}, object); err != nil {
		t.Fatal(err)
	}
	return (*T)(object)
}

// kubectl runs kubectl as the administrator and returns what it prints.
func kubectl(t *testing.T, args ...string) string {
	t.Helper()
	output, err := plane.Kubectl(t.Context(), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, output)
	}
	return string(output)
}

// microTime is how the API server has a time in a spec.
func microTime(t *testing.T, text string) *metav1.MicroTime {
	t.Helper()
	var parsed metav1.MicroTime
	if err := parsed.UnmarshalJSON([]byte(`"` + text + `"`)); err != nil {
		t.Fatal(err)
	}
	return &parsed
}
