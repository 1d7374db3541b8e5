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
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"

	"github.com/clerk-operator/clerk-operator/test/controlplane"
)

// AllowClusterGrants does what an administrator does who uses ClusterGrants without the chart: it gives the operator the rights, and names
// the ClusterRoles in them and in the guard. What is left is the operator's flag --cluster-grant-roles.
func AllowClusterGrants(ctx context.Context, cp *controlplane.ControlPlane, clusterRoles ...string) error {
	root, err := controlplane.Root()
	if err != nil {
		return err
	}
	names, err := json.Marshal(clusterRoles)
	if err != nil {
		return err
	}
	rbac := filepath.Join(root, "config", "rbac")
	for _, command := range [][]string{
		{"apply", "--server-side", "-f", filepath.Join(rbac, "cluster_grants_role.yaml")},
		{"apply", "--server-side", "-f", filepath.Join(rbac, "cluster_grants_role_binding.yaml")},
		{"patch", "clusterrole", "clerk-operator-cluster-grants", "--type=json",
			`-p=[{"op":"replace","path":"/rules/1/resourceNames","value":` + string(names) + `}]`},
		{"patch", "validatingadmissionpolicy", "clerk-operator-cluster-grants-only", "--type=json",
			fmt.Sprintf(`-p=[{"op":"test","path":"/spec/variables/0/name","value":"clusterGrantRoles"},`+
				`{"op":"replace","path":"/spec/variables/0/expression","value":%q}]`, names)},
	} {
		if output, err := cp.Kubectl(ctx, command...).CombinedOutput(); err != nil {
			return fmt.Errorf("kubectl %v: %w: %s", command, err, output)
		}
	}
	return nil
}
