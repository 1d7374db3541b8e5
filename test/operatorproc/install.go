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
	"cmp"
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
	clerkac "github.com/clerk-operator/clerk-operator/api/v1alpha1/applyconfiguration/api/v1alpha1"
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
	// apiSecretName and apiSecretKey are where the API key is, as the documentation has it.
	apiSecretName, apiSecretKey = "clerk-api", "key"
	// sampleClass is the TenantClass of config/samples.
	sampleClass = "v1alpha1_tenantclass.yaml"

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

// Clerk is an environment of Clerk, as an administrator tells the operator of it.
type Clerk struct {
	// SigningSecrets are those of the endpoint; without any, there is no webhook.
	SigningSecrets []string
	// APIKey is for Clerk's Backend API; without it, there is no resync.
	APIKey string
	// APIURL is where that is; by default Clerk's own.
	APIURL string
	// Mode is Enforce by default.
	Mode v1alpha1.InstanceMode
}

// Install does what an administrator does before the operator starts: the manifests of config/base, a Secret with a fresh signing secret,
// and from config/samples the ClerkInstance and the TenantClass "default". It returns the signing secret; done again, it makes another.
func Install(ctx context.Context, cp *controlplane.ControlPlane) (signingSecret string, err error) {
	administrator, samples, err := installManifests(ctx, cp)
	if err != nil {
		return "", err
	}
	signingSecret = clerktest.NewSecret()
	if err := applySecrets(ctx, administrator, Clerk{SigningSecrets: []string{signingSecret}}); err != nil {
		return "", err
	}
	for _, sample := range []string{"v1alpha1_clerkinstance.yaml", sampleClass} {
		if err := applySample(ctx, administrator, filepath.Join(samples, sample)); err != nil {
			return "", err
		}
	}
	return signingSecret, nil
}

// InstallFor is Install for an environment of Clerk that there is already.
func InstallFor(ctx context.Context, cp *controlplane.ControlPlane, clerk Clerk) error {
	administrator, samples, err := installManifests(ctx, cp)
	if err != nil {
		return err
	}
	if err := applySecrets(ctx, administrator, clerk); err != nil {
		return err
	}
	if err := applySample(ctx, administrator, filepath.Join(samples, sampleClass)); err != nil {
		return err
	}
	return applyServed(ctx, administrator, clerk.instance())
}

// instance is the ClerkInstance of the environment.
func (c Clerk) instance() *clerkac.ClerkInstanceApplyConfiguration {
	spec := clerkac.ClerkInstanceSpec().WithMode(cmp.Or(c.Mode, v1alpha1.ModeEnforce))
	if len(c.SigningSecrets) > 0 {
		spec.WithWebhook(clerkac.ClerkInstanceWebhook().WithSigningSecretRef(clerkac.SecretReference().WithName(secretName)))
	}
	if c.APIKey != "" {
		api := clerkac.ClerkInstanceAPI().WithSecretKeyRef(clerkac.SecretKeyReference().WithName(apiSecretName).WithKey(apiSecretKey))
		if c.APIURL != "" {
			api.WithURL(c.APIURL)
		}
		spec.WithAPI(api)
	}
	return clerkac.ClerkInstance(Instance).WithSpec(spec)
}

// installManifests applies config/base. It returns who did, and the folder of the samples.
func installManifests(ctx context.Context, cp *controlplane.ControlPlane) (administrator client.Client, samples string, err error) {
	root, err := controlplane.Root()
	if err != nil {
		return nil, "", err
	}
	apply := cp.Kubectl(ctx, "apply", "--server-side", "-k", filepath.Join(root, "config", "base"))
	if output, err := apply.CombinedOutput(); err != nil {
		return nil, "", fmt.Errorf("apply config/base: %w\n%s", err, bytes.TrimSpace(output))
	}
	administrator, err = NewClient(cp)
	return administrator, filepath.Join(root, "config", "samples"), err
}

// applySecrets applies the Secrets that the ClerkInstance names.
func applySecrets(ctx context.Context, administrator client.Client, clerk Clerk) error {
	var applied []*corev1ac.SecretApplyConfiguration
	if len(clerk.SigningSecrets) > 0 {
		secret := corev1ac.Secret(secretName, Namespace)
		for i, value := range clerk.SigningSecrets {
			secret.WithStringData(map[string]string{fmt.Sprintf("endpoint-%d", i): value})
		}
		applied = append(applied, secret)
	}
	if clerk.APIKey != "" {
		applied = append(applied, corev1ac.Secret(apiSecretName, Namespace).
			WithLabels(map[string]string{v1alpha1.APIKeyLabel: v1alpha1.APIKeyLabelValue}).
			WithStringData(map[string]string{apiSecretKey: clerk.APIKey}))
	}
	for _, secret := range applied {
		if err := administrator.Apply(ctx, secret, fieldOwner, client.ForceOwnership); err != nil {
			return fmt.Errorf("apply the Secret %s: %w", *secret.Name, err)
		}
	}
	return nil
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
	if err := applyServed(ctx, administrator, client.ApplyConfigurationFromUnstructured(&object)); err != nil {
		return fmt.Errorf("apply config/samples/%s: %w", filepath.Base(path), err)
	}
	return nil
}

// applyServed applies an object, as soon as its kind is served.
func applyServed(ctx context.Context, administrator client.Client, object runtime.ApplyConfiguration) error {
	ctx, cancel := context.WithTimeout(ctx, servedTimeout)
	defer cancel()
	for {
		err := administrator.Apply(ctx, object, fieldOwner, client.ForceOwnership)
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
