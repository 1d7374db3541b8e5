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

package operator

import (
	"fmt"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"

	databasecontroller "github.com/clerk-operator/clerk-operator/internal/controller/database"
	"github.com/clerk-operator/clerk-operator/internal/database"
)

// addDatabases adds what keeps databases in step, on the elected replica.
func addDatabases(mgr ctrl.Manager, c Config) error {
	keepers := database.New(database.Options{Cache: mgr.GetCache(), Live: mgr.GetAPIReader(), Now: time.Now})
	if err := mgr.Add(keepers); err != nil {
		return err
	}
	reconciler := &databasecontroller.Reconciler{
		Client: mgr.GetClient(), Keepers: keepers, Namespace: c.Namespace, AllowLocal: c.DatabaseAllowLocalTargets, Now: time.Now,
	}
	if err := reconciler.Setup(mgr); err != nil {
		return fmt.Errorf("set up the database controller: %w", err)
	}
	return nil
}
