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

package operatorproc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/test/clerktest"
	"github.com/clerk-operator/clerk-operator/test/controlplane"
)

const (
	// Namespace is the operator's own.
	Namespace = "clerk-operator-system"
	// ServiceAccount is who it acts as.
	ServiceAccount = "clerk-operator"
	// Instance is the ClerkInstance that Install makes.
	Instance = "default"

	// secretName is what config/samples names as the Secret of that ClerkInstance.
	secretName = "clerk-webhook"

	fieldOwner = client.FieldOwner("clerk-operator-install")
)

const (
	// servedTimeout bounds how long new kinds take to be served; it is under a second on an idle machine.
	servedTimeout = time.Minute
	// pollInterval is how often what is not there yet is asked for again.
	pollInterval = 50 * time.Millisecond
)

// NewClient is a client of the administrator that knows every kind of the operator. It reads from the API server, never from a cache.
func NewClient(cp *controlplane.ControlPlane) (client.Client, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	return client.New(cp.Config(), client.Options{Scheme: scheme})
}

// Install does what an administrator does before the operator starts: the manifests of config/base, a Secret with a fresh signing secret,
// and from config/samples the ClerkInstance and the TenantClass "default". It returns the signing secret; done again, it makes another.
func Install(ctx context.Context, cp *controlplane.ControlPlane) (signingSecret string, err error) {
	root, err := controlplane.Root()
	if err != nil {
		return "", err
	}
	apply := cp.Kubectl(ctx, "apply", "--server-side", "-k", filepath.Join(root, "config", "base"))
	if output, err := apply.CombinedOutput(); err != nil {
		return "", fmt.Errorf("apply config/base: %w\n%s", err, bytes.TrimSpace(output))
	}
	administrator, err := NewClient(cp)
	if err != nil {
		return "", err
	}
	signingSecret = clerktest.NewSecret()
	secret := corev1ac.Secret(secretName, Namespace).WithStringData(map[string]string{"endpoint": signingSecret})
	if err := administrator.Apply(ctx, secret, fieldOwner, client.ForceOwnership); err != nil {
		return "", fmt.Errorf("apply the Secret with the signing secret: %w", err)
	}
	for _, sample := range []string{"v1alpha1_clerkinstance.yaml", "v1alpha1_tenantclass.yaml"} {
		if err := applySample(ctx, administrator, filepath.Join(root, "config", "samples", sample)); err != nil {
			return "", fmt.Errorf("apply config/samples/%s: %w", sample, err)
		}
	}
	return signingSecret, nil
}

// applySample applies the first object of a file, as soon as its kind is served.
func applySample(ctx context.Context, administrator client.Client, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	var object unstructured.Unstructured
	if err := yaml.NewYAMLOrJSONDecoder(file, 1<<10).Decode(&object); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, servedTimeout)
	defer cancel()
	for {
		err := administrator.Apply(ctx, client.ApplyConfigurationFromUnstructured(&object), fieldOwner, client.ForceOwnership)
		if !meta.IsNoMatchError(err) && !apierrors.IsNotFound(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		case <-time.After(pollInterval):
		}
	}
}
