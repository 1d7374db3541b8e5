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
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

// maxManifest bounds what is read of one manifest.
const maxManifest = 16 << 20

// Actions on an object of the manifests.
const (
	actionCreate = "Create"
	actionUpdate = "Update"
	actionNone   = "None"
)

// edit is an object of the manifests.
type edit struct {
	object client.Object
	kind   string
	file   string
}

// readManifests reads the TenantClasses, ClerkInstances and ClusterGrants of files, of the manifests in folders, and of the input for "-".
func readManifests(paths []string, input io.Reader) ([]*edit, error) {
	var edits []*edit
	for _, path := range paths {
		if path == "-" {
			found, err := readManifest("the input", input)
			if err != nil {
				return nil, err
			}
			edits = append(edits, found...)
			continue
		}
		files, err := manifestsIn(path)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			found, err := readFile(file)
			if err != nil {
				return nil, err
			}
			edits = append(edits, found...)
		}
	}
	return edits, checkTwice(edits)
}

func checkTwice(edits []*edit) error {
	seen := map[string]string{}
	for _, edit := range edits {
		key := edit.kind + " " + edit.object.GetName()
		if seen[key] != "" {
			return fmt.Errorf("the %s is in %s and in %s: leave one out", key, seen[key], edit.file)
		}
		seen[key] = edit.file
	}
	return nil
}

// manifestsIn are the manifests of a folder, in their order, or the file itself.
func manifestsIn(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, entry := range entries {
		if !entry.IsDir() && slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(entry.Name())) {
			files = append(files, filepath.Join(path, entry.Name()))
		}
	}
	return files, nil
}

func readFile(path string) ([]*edit, error) {
	file, err := os.Open(path) //nolint:gosec // the caller's own choice
	if err != nil {
		return nil, err
	}
	found, err := readManifest(path, file)
	return found, errors.Join(err, file.Close())
}

// readManifest reads the documents of a manifest, and leaves out other kinds.
func readManifest(name string, content io.Reader) ([]*edit, error) {
	var edits []*edit
	documents := utilyaml.NewYAMLReader(bufio.NewReader(io.LimitReader(content, maxManifest)))
	for number := 1; ; number++ {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return edits, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		object, kind, err := decode(document)
		if err != nil {
			return nil, fmt.Errorf("%s, document %d: %w", name, number, err)
		}
		if object != nil {
			edits = append(edits, &edit{object: object, kind: kind, file: name})
		}
	}
}

// decode makes an object of a document; nil where it is of another kind.
func decode(document []byte) (client.Object, string, error) {
	var head struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
	}
	if err := yaml.Unmarshal(document, &head); err != nil {
		return nil, "", err
	}
	var object client.Object
	switch {
	case head.APIVersion != v1alpha1.GroupVersion.String():
		return nil, "", nil
	case head.Kind == "TenantClass":
		object = &v1alpha1.TenantClass{}
	case head.Kind == "ClerkInstance":
		object = &v1alpha1.ClerkInstance{}
	case head.Kind == v1alpha1.KindClusterGrant:
		object = &v1alpha1.ClusterGrant{}
	default:
		return nil, "", nil
	}
	if err := yaml.UnmarshalStrict(document, object); err != nil {
		return nil, "", fmt.Errorf("%s: %w", head.Kind, err)
	}
	if object.GetName() == "" {
		return nil, "", fmt.Errorf("%s: metadata.name is missing", head.Kind)
	}
	return object, head.Kind, nil
}

// prepare makes the object what the API server would make of it: with the identity and status of the one that is there, and with defaults.
// Where the caller may not write it, the defaults that matter are filled in here, and the plan says so.
func (e *edit) prepare(ctx context.Context, cluster client.Client, before *snapshot, plan *Plan) error {
	existing, action := e.existing(before), actionUpdate
	name := e.object.GetName()
	var err error
	if existing == nil {
		action = actionCreate
		err = cluster.Create(ctx, e.object, client.DryRunAll)
	} else {
		e.object.SetUID(existing.GetUID())
		err = e.dryUpdate(ctx, cluster, existing)
	}
	switch {
	case apierrors.IsForbidden(err):
		plan.Notes = append(plan.Notes, fmt.Sprintf("the API server did not check the %s %s, since you may not write it: %s",
			e.kind, name, "a mistake in it would show only when it is applied"))
	case err != nil:
		return fmt.Errorf("the API server refuses the %s %s of %s: %w", e.kind, name, e.file, err)
	}
	e.complete(existing)
	if existing != nil && equality.Semantic.DeepEqual(specOf(existing), specOf(e.object)) {
		action = actionNone
	}
	plan.Objects = append(plan.Objects, PlanObject{Kind: e.kind, Name: name, Action: action})
	return nil
}

// dryUpdate has the API server check the object in place of the one that is there. The operator may write its status at any time.
func (e *edit) dryUpdate(ctx context.Context, cluster client.Client, existing client.Object) error {
	return retry.RetryOnConflict(retry.DefaultRetry, func() error {
		current := existing.DeepCopyObject().(client.Object)
		if err := cluster.Get(ctx, client.ObjectKeyFromObject(existing), current); err != nil {
			return err
		}
		e.object.SetResourceVersion(current.GetResourceVersion())
		return cluster.Update(ctx, e.object, client.DryRunAll)
	})
}

// existing is the object that is there; nil if it is new.
func (e *edit) existing(before *snapshot) client.Object {
	for _, known := range before.objects[kindOf(e.object)] {
		if known.GetName() == e.object.GetName() {
			return known
		}
	}
	return nil
}

// defaultUsername is what the kind fills in.
const defaultUsername = "clerk:${user.id}"

// complete gives the object what it needs to be looked at, whoever checked it.
func (e *edit) complete(existing client.Object) {
	if e.object.GetUID() == "" {
		e.object.SetUID(types.UID("plan/" + e.kind + "/" + e.object.GetName()))
	}
	instance, isInstance := e.object.(*v1alpha1.ClerkInstance)
	if !isInstance {
		return
	}
	if instance.Spec.Username == "" {
		instance.Spec.Username = defaultUsername
	}
	if known, ok := existing.(*v1alpha1.ClerkInstance); ok {
		instance.Status = known.Status
	}
}

func specOf(object client.Object) any {
	switch object := object.(type) {
	case *v1alpha1.TenantClass:
		return object.Spec
	case *v1alpha1.ClerkInstance:
		return object.Spec
	case *v1alpha1.ClusterGrant:
		return object.Spec
	}
	return nil
}
