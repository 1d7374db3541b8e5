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

package database

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
)

func TestASecretSaysWhichDatabase(t *testing.T) {
	const url = "postgresql://clerk:p%40ss@db.example.com:6432/app?sslmode=disable"
	for name, tc := range map[string]struct {
		reason string
		data   map[string]string
		want   string // user:password@host:port/database, or the beginning of what is wrong
	}{
		"a url":               {"TLS is the spec's", map[string]string{"url": url}, "clerk:p@ss@db.example.com:6432/app"},
		"of CloudNativePG":    {"", map[string]string{"uri": url, "jdbc-uri": "x", "host": "other", "port": "1"}, "clerk:p@ss@db.example.com:6432/app"},
		"no port":             {"", map[string]string{"url": "postgres://a:b@c/d"}, "a:b@c:5432/d"},
		"an IPv6 address":     {"", map[string]string{"url": "postgres://a:b@[2001:db8::1]:1/d"}, "a:b@2001:db8::1:1/d"},
		"parts":               {"", map[string]string{"host": "h", "dbname": "d", "username": "u", "password": "p\n"}, "u:p@h:5432/d"},
		"nothing":             {"", nil, "needs a url"},
		"no database":         {"", map[string]string{"url": "postgres://a:b@c"}, "needs a url"},
		"another scheme":      {"", map[string]string{"url": "mysql://a:b@c/d"}, "holds no URL"},
		"a password, odd":     {"a message must not quote it", map[string]string{"url": "postgres://a:s3cret%zz@c/d"}, "holds no URL"},
		"options":             {"they change what names mean", map[string]string{"url": "postgres://a:b@c/d?options=-csearch_path%3Dx"}, "has parameters"},
		"a file":              {"nothing of this machine is read", map[string]string{"url": "postgres://a:b@c/d?sslrootcert=/etc/passwd"}, "has parameters"},
		"another host, below": {"", map[string]string{"url": "postgres://a:b@c/d?host=/tmp"}, "has parameters"},
		"a socket":            {"", map[string]string{"host": "/var/run/postgresql", "dbname": "d", "username": "u"}, "names no host"},
		"several hosts":       {"", map[string]string{"host": "a,b", "dbname": "d", "username": "u"}, "names no host"},
		"no such port":        {"", map[string]string{"host": "a", "port": "99999", "dbname": "d", "username": "u"}, "names no port"},
	} {
		t.Run(name, func(t *testing.T) {
			secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
				Namespace: "ns", Name: "db", Labels: map[string]string{v1alpha1.DatabaseLabel: v1alpha1.DatabaseLabelValue},
			}, Data: map[string][]byte{}}
			for key, value := range tc.data {
				secret.Data[key] = []byte(value)
			}
			got, err := connection(secret)
			if problem, ok := errors.AsType[*ProblemError](err); ok {
				if problem.Reason != v1alpha1.ReasonSecretUnusable || !strings.HasPrefix(problem.Message, "the Secret ns/db "+tc.want) ||
					strings.Contains(problem.Message, "s3cret") {
					t.Errorf("%s: %s %s, want %s", tc.reason, problem.Reason, problem.Message, tc.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if text := fmt.Sprintf("%s:%s@%s:%d/%s", got.User, got.Password, got.Host, got.Port, got.Database); text != tc.want {
				t.Errorf("%s: got %s, want %s", tc.reason, text, tc.want)
			}
		})
	}
}

func TestWhatIsPendingIsBounded(t *testing.T) {
	p, began := newPending(), time.Now()
	for i := range maxPending + 5 {
		p.add(key{v1alpha1.DatabaseUsers, fmt.Sprint("user_", i)}, change{since: began.Add(time.Duration(i) * time.Second)})
	}
	if rows, since := p.lag(); rows != maxPending+5 || !since.Equal(began) {
		t.Errorf("%d wait since %s, want %d since %s", rows, since, maxPending+5, began)
	}
	if since, yes := p.overflowed(); !yes || !since.Equal(began.Add(maxPending*time.Second)) {
		t.Errorf("overflowed: %t, since %s", yes, since)
	}
	if _, yes := p.overflowed(); yes {
		t.Error("what was taken note of is told again")
	}
	taken := p.take(10)
	if rows, _ := p.lag(); len(taken) != 10 || rows != maxPending-10 {
		t.Errorf("took %d, and %d are left", len(taken), rows)
	}
}

func TestWhatComesMeanwhileIsNotGivenBackOver(t *testing.T) {
	p, at, began := newPending(), key{v1alpha1.DatabaseUsers, "user_1"}, time.Now()
	p.add(at, change{since: began})
	taken := p.take(1)
	p.add(at, change{since: began.Add(time.Minute), gone: "uid-1"})
	p.giveBack(taken)
	if got := p.take(1)[at]; got.gone != "uid-1" || !got.since.Equal(began) {
		t.Errorf("got %+v: the deletion counts, and the first time", got)
	}
}
