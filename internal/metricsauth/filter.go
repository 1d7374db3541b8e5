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

// Package metricsauth lets those read the metrics whom the API server lets: it asks who a token is (TokenReview), and whether they may get
// the path (SubjectAccessReview).
//
// controller-runtime has a filter that does the same by way of k8s.io/apiserver, which brings gRPC, OpenTelemetry and a second CEL along:
// a third of the program and 18 MiB of memory that nothing else here needs.
package metricsauth

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-logr/logr"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/cache"
	authenticationclient "k8s.io/client-go/kubernetes/typed/authentication/v1"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"k8s.io/client-go/rest"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

const (
	// maxToken bounds a token, in bytes: those of the API server and of identity providers have 1 to 4 KB.
	maxToken = 16 << 10

	// reviewTimeout bounds how long a scrape waits for the API server's word. Scrapers give up after 10 s.
	reviewTimeout = 10 * time.Second

	// maxReviews is how many tokens the API server is asked about at a time: whoever reaches the port can bring any number of them.
	maxReviews = 8

	// allowedFor and refusedFor are how long an answer counts. A scraper comes every 15 to 60 s; who was just given the right waits little.
	allowedFor = time.Minute
	refusedFor = 10 * time.Second

	// maxAnswers is how many answers are remembered: there are a few scrapers.
	maxAnswers = 64
)

// New returns the filter for the metrics server of a manager.
func New(config *rest.Config, client *http.Client) (metricsserver.Filter, error) {
	tokens, err := authenticationclient.NewForConfigAndClient(config, client)
	if err != nil {
		return nil, fmt.Errorf("make a client for TokenReviews: %w", err)
	}
	access, err := authorizationclient.NewForConfigAndClient(config, client)
	if err != nil {
		return nil, fmt.Errorf("make a client for SubjectAccessReviews: %w", err)
	}
	reviewer := &reviewer{
		tokens: tokens.TokenReviews(), access: access.SubjectAccessReviews(),
		answers: cache.NewLRUExpireCache(maxAnswers), places: make(chan struct{}, maxReviews),
	}
	return func(log logr.Logger, next http.Handler) (http.Handler, error) {
		return &filter{reviewer: reviewer, log: log, next: next}, nil
	}, nil
}

type filter struct {
	*reviewer
	log  logr.Logger
	next http.Handler
}

// ServeHTTP hands on what is allowed.
func (f *filter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token := bearerToken(r)
	if token == "" {
		http.Error(w, "a bearer token is needed, of a ServiceAccount that may get this path", http.StatusUnauthorized)
		return
	}
	status, err := f.review(r.Context(), question{token: token, verb: strings.ToLower(r.Method), path: r.URL.Path})
	switch {
	case err != nil:
		f.log.Error(err, "Cannot ask the API server who reads the metrics")
		http.Error(w, "the API server does not answer: try again", http.StatusServiceUnavailable)
	case status != http.StatusOK:
		http.Error(w, refusals[status], status)
	default:
		f.next.ServeHTTP(w, r)
	}
}

var refusals = map[int]string{
	http.StatusUnauthorized: "the API server does not know this token",
	http.StatusForbidden:    "the token's owner may not get this path: bind the ClusterRole clerk-operator-metrics-reader to it",
}

func bearerToken(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if token = strings.TrimSpace(token); !strings.EqualFold(scheme, "Bearer") || len(token) > maxToken {
		return ""
	}
	return token
}

// question is what the API server is asked.
type question struct{ token, verb, path string }

// reviewer asks the API server, and remembers its answers for a while.
type reviewer struct {
	tokens  authenticationclient.TokenReviewInterface
	access  authorizationclient.SubjectAccessReviewInterface
	answers *cache.LRUExpireCache
	places  chan struct{}
}

// review returns the HTTP status that a question deserves.
func (r *reviewer) review(ctx context.Context, asked question) (int, error) {
	key := sha256.Sum256([]byte(strings.Join([]string{asked.token, asked.verb, asked.path}, "\n")))
	if status, known := r.answers.Get(key); known {
		return status.(int), nil
	}
	ctx, cancel := context.WithTimeout(ctx, reviewTimeout)
	defer cancel()
	select {
	case r.places <- struct{}{}:
		defer func() { <-r.places }()
	case <-ctx.Done():
		return 0, errors.New("too many tokens are being looked at")
	}
	status, err := r.ask(ctx, asked)
	if err != nil {
		return 0, err
	}
	ttl := refusedFor
	if status == http.StatusOK {
		ttl = allowedFor
	}
	r.answers.Add(key, status, ttl)
	return status, nil
}

func (r *reviewer) ask(ctx context.Context, asked question) (int, error) {
	token, err := r.tokens.Create(ctx, &authenticationv1.TokenReview{
		Spec: authenticationv1.TokenReviewSpec{Token: asked.token},
	}, metav1.CreateOptions{})
	if err != nil {
		return 0, fmt.Errorf("review a token: %w", err)
	}
	if !token.Status.Authenticated {
		return http.StatusUnauthorized, nil
	}
	user := token.Status.User
	extra := make(map[string]authorizationv1.ExtraValue, len(user.Extra))
	for key, values := range user.Extra {
		extra[key] = authorizationv1.ExtraValue(values)
	}
	access, err := r.access.Create(ctx, &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user.Username, UID: user.UID, Groups: user.Groups, Extra: extra,
		NonResourceAttributes: &authorizationv1.NonResourceAttributes{Path: asked.path, Verb: asked.verb},
	}}, metav1.CreateOptions{})
	if err != nil {
		return 0, fmt.Errorf("review the access of a token's owner: %w", err)
	}
	if !access.Status.Allowed {
		return http.StatusForbidden, nil
	}
	return http.StatusOK, nil
}
