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

// Package rbac holds what the operator may do, as it is installed.
package rbac

import _ "embed"

// Roles is role.yaml: the ClusterRole and, for the operator's own namespace, the Role that are generated from the markers beside the code
// that needs them. The operator compares them with what it was given.
//
//go:embed role.yaml
var Roles []byte
