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

package me

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/time/rate"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/cache"
	authenticationclient "k8s.io/client-go/kubernetes/typed/authentication/v1"
)

var (
	// errUnknown: the API server does not know the token, or not for this audience.
	errUnknown = errors.New("the API server does not know this token")

	// errTooMany: too many tokens are to be reviewed.
	errTooMany = errors.New("too many requests")
)

// reviewer asks the API server whose a token is, and remembers the answer for a while. Of a token it keeps the hash alone.
type reviewer struct {
	tokens    authenticationclient.TokenReviewInterface
	audiences []string

	known, unknown, addresses *cache.LRUExpireCache

	all    *rate.Limiter
	places chan struct{}
}

func newReviewer(tokens authenticationclient.TokenReviewInterface, audiences []string) *reviewer {
	return &reviewer{
		tokens: tokens, audiences: audiences,
		known: cache.NewLRUExpireCache(maxAnswers), unknown: cache.NewLRUExpireCache(maxAnswers),
		addresses: cache.NewLRUExpireCache(maxAddresses),
		all:       rate.NewLimiter(reviewsPerSecond, burst), places: make(chan struct{}, maxReviews),
	}
}

func bearerToken(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if token = strings.TrimSpace(token); !strings.EqualFold(scheme, "Bearer") || len(token) > maxToken {
		return ""
	}
	return token
}

// owner is the name in RBAC of a token's owner.
func (r *reviewer) owner(ctx context.Context, address, token string) (string, error) {
	key := sha256.Sum256([]byte(token))
	if name, found := r.known.Get(key); found {
		return name.(string), nil
	}
	if _, found := r.unknown.Get(key); found {
		return "", errUnknown
	}
	// The address comes first: who asks too much has no part of what is for all.
	if !r.of(address).Allow() || !r.all.Allow() {
		return "", errTooMany
	}
	select {
	case r.places <- struct{}{}:
		defer func() { <-r.places }()
	default:
		return "", errTooMany
	}
	name, err := r.review(ctx, token)
	switch {
	case err == nil:
		r.known.Add(key, name, knownFor)
	case errors.Is(err, errUnknown):
		r.unknown.Add(key, struct{}{}, unknownFor)
	}
	return name, err
}

// of is the share of an address. Two that ask at the same moment for the first time may get a share each.
func (r *reviewer) of(address string) *rate.Limiter {
	if limiter, found := r.addresses.Get(address); found {
		return limiter.(*rate.Limiter)
	}
	limiter := rate.NewLimiter(reviewsPerAddress, burstPerAddress)
	r.addresses.Add(address, limiter, burstPerAddress*time.Second)
	return limiter
}

func (r *reviewer) review(ctx context.Context, token string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, reviewTimeout)
	defer cancel()
	review, err := r.tokens.Create(ctx, &authenticationv1.TokenReview{
		Spec: authenticationv1.TokenReviewSpec{Token: token, Audiences: r.audiences},
	}, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("ask whose a token is: %w", err)
	}
	status := &review.Status
	if !status.Authenticated || status.User.Username == "" || !r.isFor(status.Audiences) {
		return "", errUnknown
	}
	return status.User.Username, nil
}

// isFor tells whether a token is for one of the audiences. An authenticator that knows nothing of audiences names none.
func (r *reviewer) isFor(audiences []string) bool {
	return len(r.audiences) == 0 || slices.ContainsFunc(audiences, func(a string) bool { return slices.Contains(r.audiences, a) })
}
