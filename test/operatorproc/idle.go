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
	"fmt"
	"slices"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/test/controlplane"
	"github.com/clerk-operator/clerk-operator/test/wait"
)

const (
	// settling is how many renewals of the Lease it takes until everything that was under way has ended: statuses lag by five seconds at most.
	settling = 8

	// idling is how many more are watched.
	idling = 5

	// renewalPatience bounds the wait for one of them: nobody may be elected yet.
	renewalPatience = time.Minute

	// userAgent is what that of all of the operator's requests begins with.
	userAgent = "clerk-operator/"
)

// WhileIdle returns what the operator asks of the API server while nothing happens, besides watches and the Lease: nothing, if all is well.
// The Lease, which is renewed every two seconds, says how long that is. The control plane needs Options.AuditLog.
func WhileIdle(ctx context.Context, cp *controlplane.ControlPlane) ([]controlplane.AuditEvent, error) {
	administrator, err := NewClient(cp)
	if err != nil {
		return nil, err
	}
	if err := untilRenewed(ctx, administrator, settling); err != nil {
		return nil, err
	}
	began := time.Now()
	if err := untilRenewed(ctx, administrator, idling); err != nil {
		return nil, err
	}
	all, err := cp.AuditEvents()
	return slices.DeleteFunc(all, func(e controlplane.AuditEvent) bool {
		return e.Time.Before(began) || !strings.HasPrefix(e.UserAgent, userAgent) || e.Verb == "watch" || e.Resource == "leases"
	}), err
}

func untilRenewed(ctx context.Context, administrator client.Client, times int) error {
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: Namespace, Name: "clerk-operator"}}
	for range times {
		before := lease.Spec.RenewTime
		err := wait.Poll(ctx, renewalPatience, func(ctx context.Context) error {
			if err := administrator.Get(ctx, client.ObjectKeyFromObject(lease), lease); err != nil {
				return err
			}
			if lease.Spec.RenewTime.Equal(before) {
				return fmt.Errorf("the Lease was last renewed at %s", before)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
