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
	"context"
	"fmt"
	"time"

	authenticationclient "k8s.io/client-go/kubernetes/typed/authentication/v1"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/clerk-operator/clerk-operator/internal/controller/cached"
	"github.com/clerk-operator/clerk-operator/internal/me"
)

// addMe adds what tells people what they have, where that is wanted: what ClusterGrants give, where these are carried out.
func addMe(ctx context.Context, mgr ctrl.Manager, c Config, withClusterGrants bool) error {
	if !c.servesMe() {
		return nil
	}
	tokens, err := authenticationclient.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return fmt.Errorf("make a client for TokenReviews: %w", err)
	}
	options := me.Options{
		Tokens: tokens.TokenReviews(), Members: mgr.GetCache(), Audiences: c.MeAudiences,
		BindAddress: c.MeBindAddress, TLSCertFile: c.MeTLSCertFile, TLSKeyFile: c.MeTLSKeyFile,
	}
	if withClusterGrants {
		options.ClusterGrants = &me.ClusterGrants{Reader: mgr.GetCache(), Expressions: cached.NewExpressions(), Now: time.Now}
	}
	server, err := me.New(options)
	if err != nil {
		return err
	}
	if err := me.AddIndex(ctx, mgr.GetFieldIndexer(), withClusterGrants); err != nil {
		return err
	}
	return mgr.Add(server)
}

// servesMe tells whether GET /me is answered.
func (c Config) servesMe() bool { return c.MeBindAddress != "" && c.MeBindAddress != "0" }
