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

package controlplane

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// tokenLifetime is how long a ServiceAccount's token is asked for: longer than any control plane lives, since nobody renews it.
const tokenLifetime = 365 * 24 * time.Hour

// Config returns a client configuration of the administrator (group system:masters). The copy is the caller's to change.
// Like every configuration from here it has no client-side rate limit.
func (cp *ControlPlane) Config() *rest.Config { return rest.CopyConfig(cp.admin) }

// UserConfig returns a client configuration of a user in groups, who is known by a client certificate: the user need not exist anywhere.
func (cp *ControlPlane) UserConfig(user string, groups ...string) (*rest.Config, error) {
	pair, err := cp.pki.ca.issue(userCertificate(user, groups))
	if err != nil {
		return nil, err
	}
	config := cp.anonymousConfig()
	config.CertData, config.KeyData = pair.certPEM, pair.keyPEM
	return config, nil
}

// ServiceAccountConfig returns a client configuration of an existing ServiceAccount, who is known by a token from the TokenRequest API.
func (cp *ControlPlane) ServiceAccountConfig(ctx context.Context, namespace, name string) (*rest.Config, error) {
	request := &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: new(int64(tokenLifetime.Seconds()))},
	}
	answer, err := cp.client.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, name, request, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("requesting a token for the ServiceAccount %s/%s: %w", namespace, name, err)
	}
	config := cp.anonymousConfig()
	config.BearerToken = answer.Status.Token
	return config, nil
}

// anonymousConfig is the address of the API server, and whom to trust there.
func (cp *ControlPlane) anonymousConfig() *rest.Config {
	return &rest.Config{
		Host:            localURL(cp.ports.apiServer),
		TLSClientConfig: rest.TLSClientConfig{CAData: cp.pki.ca.pem},
		QPS:             -1,
	}
}

// Kubeconfig writes the administrator's kubeconfig file to path.
func (cp *ControlPlane) Kubeconfig(path string) error { return WriteKubeconfig(path, cp.admin) }

// WriteKubeconfig writes config as a kubeconfig file, readable by its owner alone. The file is replaced at once: a reader sees the old or
// the new one. Identities from UserConfig and ServiceAccountConfig are kept, and impersonation is.
func WriteKubeconfig(path string, config *rest.Config) error {
	const name = "clerk-operator"
	kubeconfig := clientcmdapi.Config{
		Clusters: map[string]*clientcmdapi.Cluster{
			name: {Server: config.Host, CertificateAuthorityData: config.CAData},
		},
		AuthInfos: map[string]*clientcmdapi.AuthInfo{name: {
			ClientCertificateData: config.CertData,
			ClientKeyData:         config.KeyData,
			Token:                 config.BearerToken,
			Impersonate:           config.Impersonate.UserName,
			ImpersonateGroups:     config.Impersonate.Groups,
		}},
		Contexts:       map[string]*clientcmdapi.Context{name: {Cluster: name, AuthInfo: name}},
		CurrentContext: name,
	}
	content, err := clientcmd.Write(kubeconfig)
	if err != nil {
		return fmt.Errorf("encoding the kubeconfig: %w", err)
	}
	if err := replaceFile(path, content); err != nil {
		return fmt.Errorf("writing the kubeconfig: %w", err)
	}
	return nil
}

// replaceFile writes a file beside path and renames it to path.
func replaceFile(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-") // Mode 0600.
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err := errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}
