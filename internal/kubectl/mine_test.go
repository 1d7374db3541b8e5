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

package kubectl_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	certutil "k8s.io/client-go/util/cert"

	"github.com/clerk-operator/clerk-operator/internal/kubectl"
	"github.com/clerk-operator/clerk-operator/internal/me"
)

// serving is where the operator answers GET /me.
type serving struct{ address, certificate, key string }

var mineAt serving

// serveMine says where the operator of the tests is to answer GET /me, with a certificate of its own.
func serveMine(ctx context.Context, folder string) (serving, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return serving{}, err
	}
	mineAt = serving{listener.Addr().String(), filepath.Join(folder, "tls.crt"), filepath.Join(folder, "tls.key")}
	certificate, key, err := certutil.GenerateSelfSignedCertKey("127.0.0.1", nil, nil)
	return mineAt, errors.Join(err, listener.Close(),
		os.WriteFile(mineAt.certificate, certificate, 0o600), os.WriteFile(mineAt.key, key, 0o600))
}

// writePeople writes a file by which the API server knows people by tokens, each by the user's id: it stands in for Clerk's tokens.
func writePeople(folder string) (string, error) {
	var lines strings.Builder
	for _, id := range []string{"user_2jane", "user_2joe", "user_2ben", "user_2nobody"} {
		fmt.Fprintf(&lines, "token-of-%s,clerk:%s,%s\n", id, id, id)
	}
	file := filepath.Join(folder, "people.csv")
	return file, os.WriteFile(file, []byte(lines.String()), 0o600)
}

// kubeconfigOf is the kubeconfig of a person, with a context that has no namespace.
func kubeconfigOf(t *testing.T, userID string) string {
	t.Helper()
	cluster := clientcmdapi.NewCluster()
	cluster.Server, cluster.CertificateAuthorityData = plane.Config().Host, plane.Config().CAData
	config := clientcmdapi.NewConfig()
	config.Clusters["prod"], config.AuthInfos["clerk"] = cluster, &clientcmdapi.AuthInfo{Token: "token-of-" + userID}
	config.Contexts["prod"], config.CurrentContext = &clientcmdapi.Context{Cluster: "prod", AuthInfo: "clerk"}, "prod"
	file := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, file); err != nil {
		t.Fatal(err)
	}
	return file
}

// askMine runs mine as a person who may list nothing.
func askMine(t *testing.T, kubeconfig string, args ...string) result {
	t.Helper()
	return run(t, append([]string{
		"mine", "--kubeconfig", kubeconfig, "--url", "https://" + mineAt.address + me.Path, "--url-certificate-authority", mineAt.certificate,
	}, args...)...)
}

func TestMembersLearnWhatTheyHave(t *testing.T) {
	for name, test := range map[string]struct {
		userID, flags string
		code          int
	}{
		"mine":        {"user_2jane", "", 0},
		"mine-wide":   {"user_2jane", "-o wide", 0},
		"mine-json":   {"user_2joe", "-o json", 0},
		"mine-name":   {"user_2jane", "-o name", 0},
		"mine-banned": {"user_2ben", "", 2},
		"mine-nobody": {"user_2nobody", "", 2},
	} {
		t.Run(name, func(t *testing.T) {
			found := askMine(t, kubeconfigOf(t, test.userID), strings.Fields(test.flags)...)
			wantGolden(t, name, strings.TrimSpace("mine --url https://clerk-me.example.com/me "+test.flags), found)
			if found.code != test.code {
				t.Errorf("exit code %d, want %d", found.code, test.code)
			}
			checkPage(t, golden{args: test.flags}, found)
		})
	}
}

func TestAMemberWhoMayListNothingIsToldOfTheAddress(t *testing.T) {
	t.Parallel()
	got := run(t, "mine", "--kubeconfig", kubeconfigOf(t, "user_2jane"))
	if got.code != 1 || !strings.Contains(got.errors, "you are clerk:user_2jane and may not list ClerkMembers") ||
		!strings.Contains(got.errors, "--url") {
		t.Errorf("got %+v", got)
	}
}

func TestWhoMayListEverythingSeesTheirOwnAlone(t *testing.T) {
	t.Parallel()
	got := run(t, "mine", "-o", "json", "--as", "clerk:user_2joe", "--as-group", "system:masters")
	var found kubectl.Mine
	if err := json.Unmarshal([]byte(got.out), &found); err != nil {
		t.Fatalf("%v: %+v", err, got)
	}
	if len(found.Organizations) != 1 || found.Organizations[0].Role != "org:member" || found.User != "clerk:user_2joe" ||
		len(found.ClusterRoles) > 0 || len(found.Notes) > 0 {
		t.Errorf("got %+v", found)
	}
}

// What ClusterGrants give is the same whoever lists it; where the caller may not see it, that is said.
func TestWhatClusterGrantsGiveIsListed(t *testing.T) {
	t.Parallel()
	all := []string{"mine", "-o", "json", "--as", "clerk:user_2jane", "--as-group", "system:masters"}
	var listed, told kubectl.Mine
	err := errors.Join(json.Unmarshal([]byte(run(t, all...).out), &listed),
		json.Unmarshal([]byte(askMine(t, kubeconfigOf(t, "user_2jane"), "-o", "json").out), &told))
	if err != nil || len(told.ClusterRoles) != 1 || !reflect.DeepEqual(listed, told) {
		t.Errorf("%v: listed %+v, and the operator tells %+v", err, listed, told)
	}
	for _, name := range []string{"viewer", "helpdesk"} {
		command(t, kubectl.ExitNo, "what ClusterGrants give", "mine", "--as", name)
	}
}

func TestContextsAreWrittenForEachNamespace(t *testing.T) {
	t.Parallel()
	file := kubeconfigOf(t, "user_2jane")
	for range 2 { // a second time changes nothing
		if got := askMine(t, file, "--kubeconfig-contexts"); got.code != 0 || !strings.Contains(got.out, "prod/org-acme, prod/org-acme-preview") {
			t.Fatalf("got %+v", got)
		}
	}
	config, err := clientcmd.LoadFromFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, namespace := range []string{"org-acme", "org-acme-preview"} {
		written := config.Contexts["prod/"+namespace]
		if written == nil || written.Cluster != "prod" || written.AuthInfo != "clerk" || written.Namespace != namespace {
			t.Errorf("the context of %s is %+v", namespace, written)
		}
	}
	if len(config.Contexts) != 3 || config.CurrentContext != "prod" || config.AuthInfos["clerk"].Token == "" {
		t.Errorf("the kubeconfig is %+v", config)
	}
	if output, err := plane.Kubectl(t.Context(), "--kubeconfig", file, "--context", "prod/org-acme", "auth", "can-i", "create",
		"deployments").CombinedOutput(); err != nil || strings.TrimSpace(string(output)) != "yes" {
		t.Errorf("with the context: %v: %s", err, output)
	}
}

func TestAContextThatLeadsElsewhereIsNotTouched(t *testing.T) {
	t.Parallel()
	file := kubeconfigOf(t, "user_2jane")
	config, err := clientcmd.LoadFromFile(file)
	if err != nil {
		t.Fatal(err)
	}
	config.Contexts["prod/org-acme"] = &clientcmdapi.Context{Cluster: "prod", AuthInfo: "root"}
	if err := clientcmd.WriteToFile(*config, file); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got := askMine(t, file, "--kubeconfig-contexts")
	after, err := os.ReadFile(file)
	if got.code != 1 || !strings.Contains(got.errors, "another context prod/org-acme") || err != nil || !bytes.Equal(before, after) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestATokenIsShownToNobodyWithoutACertificate(t *testing.T) {
	t.Parallel()
	file := kubeconfigOf(t, "user_2jane")
	for name, test := range map[string]struct {
		args []string
		word string
	}{
		"no TLS":            {[]string{"--url", "http://" + mineAt.address + "/me"}, "does not begin with https://"},
		"unknown authority": {[]string{"--url", "https://" + mineAt.address + "/me"}, "--url-certificate-authority"},
		"another path": {
			[]string{"--url", "https://" + mineAt.address + "/", "--url-certificate-authority", mineAt.certificate}, "is it the address of /me?",
		},
		"no token": {[]string{
			"--url", "https://" + mineAt.address + "/me", "--url-certificate-authority", mineAt.certificate, "--kubeconfig", kubeconfig,
		}, "your kubeconfig has none for this context"},
		"unknown token": {[]string{
			"--url", "https://" + mineAt.address + "/me", "--url-certificate-authority", mineAt.certificate, "--token", "nobody",
		}, "does not know your token"},
	} {
		got := run(t, append([]string{"mine", "--kubeconfig", file}, test.args...)...)
		if got.code != 1 || !strings.Contains(got.errors, test.word) || strings.Contains(got.errors, "token-of") {
			t.Errorf("%s: got %+v, want %q", name, got, test.word)
		}
	}
}
