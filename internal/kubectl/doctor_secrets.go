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
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/signing"
)

// secretReasons are the reasons of a ClerkInstance's conditions that are about its Secrets.
var secretReasons = []string{v1alpha1.ReasonSecretNotFound, v1alpha1.ReasonSecretUnusable, v1alpha1.ReasonSecretNotMarked}

// checkSecrets looks at the Secrets of the ClerkInstances. Of a value no more is ever said than what is wrong with it.
func (d *doctor) checkSecrets(ctx context.Context) error {
	if d.instances == nil {
		d.unknown(checkSecrets, "you may not list ClerkInstances, so which Secrets count is not known",
			"ask for the ClusterRole clerk-operator-viewer")
		return nil
	}
	if len(d.instances.Items) == 0 {
		d.wrong(checkSecrets, "", "there is no ClerkInstance: nothing is heard from Clerk", "create one, as the chart does: docs/install.md")
		return nil
	}
	for i := range d.instances.Items {
		instance := &d.instances.Items[i]
		object := reference("clerkinstance", instance.Name)
		before := len(d.found.Findings)
		for _, look := range []func(context.Context, *v1alpha1.ClerkInstance) (problem, fix string, err error){d.signingSecret, d.apiKey} {
			problem, fix, err := look(ctx, instance)
			if apierrors.IsForbidden(err) {
				d.secretsByStatus(instance)
				break
			}
			if err != nil {
				return fmt.Errorf("read the Secrets of ClerkInstance %s: %w", instance.Name, err)
			}
			if problem != "" {
				d.wrong(checkSecrets, object, fmt.Sprintf("ClerkInstance %s: %s", instance.Name, problem), fix)
			}
		}
		if len(d.found.Findings) == before {
			d.passed(checkSecrets, "those of ClerkInstance %s are there and well-formed", instance.Name)
		}
	}
	return nil
}

// secretsByStatus says what the operator says of Secrets that the caller may not read.
func (d *doctor) secretsByStatus(instance *v1alpha1.ClerkInstance) {
	for _, kind := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionSynced} {
		condition := meta.FindStatusCondition(instance.Status.Conditions, kind)
		if condition != nil && condition.Status != metav1.ConditionTrue && slices.Contains(secretReasons, condition.Reason) {
			d.wrong(checkSecrets, reference("clerkinstance", instance.Name),
				fmt.Sprintf("ClerkInstance %s (%s): %s", instance.Name, condition.Reason, condition.Message), "as the message says")
			return
		}
	}
	if condition := meta.FindStatusCondition(instance.Status.Conditions, v1alpha1.ConditionReady); condition == nil {
		d.unknown(checkSecrets, fmt.Sprintf("you may not read the Secrets of ClerkInstance %s, and the operator has not said anything of them",
			instance.Name), "ask for the verb get on secrets in the namespace "+d.namespace)
		return
	}
	d.passed(checkSecrets, "the operator finds nothing wrong with those of ClerkInstance %s; you may not read them yourself", instance.Name)
}

// signingSecret looks for the signing secrets.
func (d *doctor) signingSecret(ctx context.Context, instance *v1alpha1.ClerkInstance) (problem, fix string, err error) {
	name := instance.Spec.Webhook.SigningSecretRef.Name
	if name == "" {
		return "", "", nil
	}
	secret, err := d.secret(ctx, name)
	create := fmt.Sprintf("kubectl -n %s create secret generic %s --from-literal=endpoint=whsec_…, with the signing secret of the endpoint "+
		"in Clerk's dashboard", d.namespace, name)
	if secret == nil {
		return fmt.Sprintf("the Secret %s/%s with the signing secret does not exist", d.namespace, name), create, err
	}
	verifier, unusable := signing.Parse(secret.Data)
	var keys []string
	for _, key := range unusable {
		keys = append(keys, fmt.Sprintf("the key %s %s", key.Key, key.Reason))
	}
	switch {
	case !verifier.Usable() && len(keys) == 0:
		return fmt.Sprintf("the Secret %s/%s is empty, so no delivery is accepted", d.namespace, name), create, nil
	case !verifier.Usable():
		return fmt.Sprintf("the Secret %s/%s holds no usable signing secret, so no delivery is accepted: %s", d.namespace, name,
			strings.Join(keys, "; ")), "copy the signing secret (whsec_…) from the endpoint in Clerk's dashboard", nil
	case len(keys) > 0:
		return fmt.Sprintf("the Secret %s/%s holds keys that do not count: %s", d.namespace, name, strings.Join(keys, "; ")),
			"correct or remove them", nil
	}
	return "", "", nil
}

// apiKey looks for the API key.
func (d *doctor) apiKey(ctx context.Context, instance *v1alpha1.ClerkInstance) (problem, fix string, err error) {
	ref := instance.Spec.API.SecretKeyRef
	if ref.Name == "" {
		return "", "", nil
	}
	secret, err := d.secret(ctx, ref.Name)
	if secret == nil {
		return fmt.Sprintf("the Secret %s/%s with the API key does not exist", d.namespace, ref.Name),
			fmt.Sprintf("create it with Clerk's API key (sk_…) as the key %s, and the label %s=%s", ref.Key, v1alpha1.APIKeyLabel,
				v1alpha1.APIKeyLabelValue), err
	}
	key := strings.TrimSpace(string(secret.Data[ref.Key]))
	switch {
	case secret.Labels[v1alpha1.APIKeyLabel] != v1alpha1.APIKeyLabelValue:
		return fmt.Sprintf("the Secret %s/%s is not marked as one with an API key, so it is not used", d.namespace, ref.Name),
			fmt.Sprintf("kubectl -n %s label secret %s %s=%s", d.namespace, ref.Name, v1alpha1.APIKeyLabel, v1alpha1.APIKeyLabelValue), nil
	case key == "":
		return fmt.Sprintf("the Secret %s/%s has no key %s, or it is empty", d.namespace, ref.Name, ref.Key),
			"put Clerk's API key (sk_…) there", nil
	case !strings.HasPrefix(key, "sk_") || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return fmt.Sprintf("what the Secret %s/%s has as the key %s is no API key of Clerk", d.namespace, ref.Name, ref.Key),
			"copy the secret key (sk_…) from Clerk's dashboard; a publishable key (pk_…) does not do", nil
	}
	return "", "", nil
}

// secret is a Secret of the operator's namespace; nil without an error if there is none.
func (d *doctor) secret(ctx context.Context, name string) (*corev1.Secret, error) {
	var secret corev1.Secret
	err := d.cluster.Get(ctx, client.ObjectKey{Namespace: d.namespace, Name: name}, &secret)
	if err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	return &secret, nil
}
