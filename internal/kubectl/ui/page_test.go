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
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/kubectl"
	"github.com/clerk-operator/clerk-operator/test/browser"
	"github.com/clerk-operator/clerk-operator/test/controlplane"
)

const (
	// organizationCount and memberCount are how many there are.
	organizationCount = 1000
	memberCount       = 10000

	// writers is how many objects are written at a time.
	writers = 32

	// maxRows is how many rows may be in the document at a time: those on the screen, and a few more.
	maxRows = 60
)

// The names of the organizations: each of the first with each of the second.
var (
	firstWords = strings.Fields("amber arctic autumn brave bright calm cedar clear clever cobalt copper coral crisp dawn deep early ember fern " +
		"gentle golden granite green happy hazel hidden honest indigo ivory jade keen lively lunar maple mellow misty noble north olive quiet silver")
	secondWords = strings.Fields("anchor atlas beacon bridge canyon compass delta engine field forge garden grove harbor lantern meadow mill " +
		"orbit orchard port prairie river signal studio summit works")
)

var (
	cluster    client.Client
	kubeconfig string
)

func TestMain(m *testing.M) {
	controlplane.Main(m, controlplane.Options{CRDs: filepath.Join("..", "..", "..", "config", "crd", "bases")},
		func(ctx context.Context, cp *controlplane.ControlPlane) error {
			scheme := runtime.NewScheme()
			if err := v1alpha1.AddToScheme(scheme); err != nil {
				return err
			}
			config := cp.Config()
			config.QPS = -1
			var err error
			if cluster, err = client.New(config, client.Options{Scheme: scheme}); err != nil {
				return err
			}
			kubeconfig = filepath.Join(cp.Dir(), "page.kubeconfig")
			return errors.Join(cp.Kubeconfig(kubeconfig), fill(ctx))
		})
}

// fill writes the organizations as the operator would leave them, and their members. No operator runs here.
func fill(ctx context.Context) error {
	writing, ctx := errgroup.WithContext(ctx)
	writing.SetLimit(writers)
	for i := range organizationCount {
		writing.Go(func() error { return writeOrganization(ctx, i) })
	}
	for i := range memberCount {
		writing.Go(func() error { return writeMember(ctx, i) })
	}
	return writing.Wait()
}

func slugOf(i int) string {
	return firstWords[i%len(firstWords)] + "-" + secondWords[i/len(firstWords)]
}

func writeOrganization(ctx context.Context, i int) error {
	organization := &v1alpha1.ClerkOrganization{}
	organization.Name = fmt.Sprintf("default.org-2%04d", i)
	spec := &organization.Spec
	spec.Instance, spec.ID, spec.Slug, spec.UpdatedAt = "default", fmt.Sprintf("org_2%04d", i), slugOf(i), new(metav1.NowMicro())
	words := strings.Split(spec.Slug, "-")
	spec.Name = strings.ToUpper(words[0][:1]) + words[0][1:] + " " + strings.ToUpper(words[1][:1]) + words[1][1:]
	if err := cluster.Create(ctx, organization); err != nil {
		return err
	}
	status := &organization.Status
	status.ClassName, status.Members = []string{"standard", "standard", "starter", "enterprise"}[i*7%4], new(int32(memberCount/organizationCount))
	status.Namespaces = []v1alpha1.OrganizationNamespace{{Name: "org-" + spec.Slug, State: v1alpha1.NamespaceActive}}
	ready := metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonReady, LastTransitionTime: metav1.Now()}
	if i%97 == 5 {
		ready.Status, ready.Reason, ready.Message = metav1.ConditionFalse, v1alpha1.ReasonQuotaExceeded, "the quota is used up"
	}
	status.Conditions = []metav1.Condition{ready}
	return cluster.Status().Update(ctx, organization)
}

func writeMember(ctx context.Context, i int) error {
	member := &v1alpha1.ClerkMember{}
	member.Name = fmt.Sprintf("default.orgmem-2%05d", i)
	spec := &member.Spec
	spec.Instance, spec.ID, spec.UserID = "default", fmt.Sprintf("orgmem_2%05d", i), fmt.Sprintf("user_2%05d", i)
	spec.OrganizationID, spec.Role, spec.UpdatedAt = fmt.Sprintf("org_2%04d", i%organizationCount), "org:member", new(metav1.NowMicro())
	return cluster.Create(ctx, member)
}

// serve runs kubectl clerk ui until the test ends, and returns the address that it prints.
func serve(t *testing.T) string {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	out, in := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- kubectl.Main(ctx, kubectl.Options{
			Streams: genericiooptions.IOStreams{In: strings.NewReader(""), Out: in, ErrOut: in}, Now: time.Now, Version: "test",
		}, "ui", "--kubeconfig", kubeconfig)
	}()
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, lines) }()
	t.Cleanup(func() {
		stop()
		if code := <-ended; code != 0 {
			t.Errorf("kubectl clerk ui ended with exit code %d", code)
		}
	})
	return strings.TrimPrefix(strings.TrimSpace(line), "The page is at ")
}

const rows = `[aria-label="Organizations"] a.row`

func TestAThousandOrganizationsAreListed(t *testing.T) {
	window := browser.Open(t)
	window.Look(1200, 760, false)
	begun := time.Now()
	window.Go(serve(t))
	window.Until(fmt.Sprintf("document.querySelectorAll(%q).length > 10", rows))
	t.Logf("%d organizations and %d members: the list is there %s after the command", organizationCount, memberCount,
		time.Since(begun).Round(time.Millisecond))
	window.Until("document.querySelector('.count').innerText === '1,000 organizations'")
	window.Picture("ui-organizations")
	window.Look(1200, 760, true)
	window.Picture("ui-organizations-dark")
	window.Look(390, 760, false)
	window.Picture("ui-phone")
	window.Look(1200, 760, false)
	few := func(where string) {
		if count := window.Number(fmt.Sprintf("document.querySelectorAll(%q).length", rows)); count > maxRows || count == 0 {
			t.Errorf("%s there are %g rows in the document", where, count)
		}
	}
	few("at the beginning")
	window.Press("j" + kb.End)
	window.Until("document.activeElement.closest('li')?.ariaPosInSet === '1000'")
	few("at the end")
	for range 20 {
		window.Press(kb.PageUp)
	}
	few("in between")
	window.Until("Number(document.activeElement.closest('li')?.ariaPosInSet) < 900")

	// Each of them is found by its slug, and by nothing else.
	slugs := make([]string, organizationCount)
	for i := range slugs {
		slugs[i] = slugOf(i)
	}
	asked, err := json.Marshal(slugs)
	if err != nil {
		t.Fatal(err)
	}
	window.Until(fmt.Sprintf(`window.search ??= (async () => {
		const missing = []
		const field = document.querySelector('#search')
		for (const slug of %s) {
			field.value = slug
			field.dispatchEvent(new InputEvent('input', { bubbles: true }))
			await new Promise(resolve => setTimeout(resolve))
			const found = [...document.querySelectorAll(%q)].map(row => row.querySelector('b').innerText)
			if (found.length !== 1 || found[0] !== slug) missing.push(slug + ': ' + found.join(', '))
		}
		window.missing = missing
	})()`, asked, rows))
	window.Until("window.missing")
	if missing := window.Texts("window.missing"); len(missing) > 0 {
		t.Errorf("%d are not found by their slug: %s", len(missing), missing[:min(len(missing), 10)])
	}
	if problems := window.Problems(); len(problems) > 0 {
		t.Errorf("the browser complains of:\n%s", strings.Join(problems, "\n"))
	}
}
