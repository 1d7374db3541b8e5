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

// Package ui serves the page of kubectl clerk ui to the person who started it, and to nobody else: on loopback, by a token that is made
// anew each time, with nothing in the page that comes from elsewhere or that could run what a name of the cluster says. It knows nothing of
// the cluster: a Source answers.
package ui
