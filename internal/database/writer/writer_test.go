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

package writer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/clerk-operator/clerk-operator/api/v1alpha1"
	"github.com/clerk-operator/clerk-operator/internal/database/postgres"
	"github.com/clerk-operator/clerk-operator/internal/database/rows"
	"github.com/clerk-operator/clerk-operator/internal/database/schema"
	"github.com/clerk-operator/clerk-operator/internal/database/writer"
	"github.com/clerk-operator/clerk-operator/test/pgproc"
)

// database is one of its own for a test, in a server that all share.
type database struct {
	*pgx.Conn
	settings *postgres.Settings
}

func newDatabase(t *testing.T) *database {
	t.Helper()
	server := pgproc.Shared(t)
	name := server.NewDatabase(t)
	conn, err := pgx.Connect(t.Context(), server.URL(pgproc.Admin, pgproc.Password, name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return &database{conn, &postgres.Settings{
		Host: server.Host(), Port: server.Port(), Database: name, User: pgproc.Admin, Password: pgproc.Password, AllowLocal: true,
	}}
}

func claim(owner string) schema.Claim {
	return schema.Claim{Schema: "clerk", Instance: "default", Owner: owner}
}

func (d *database) open(t *testing.T, as schema.Claim) *writer.Writer {
	t.Helper()
	w, err := writer.Open(t.Context(), d.settings, as)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

func (d *database) exec(t *testing.T, sql string) {
	t.Helper()
	if _, err := d.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

// has compares what a query gives, as JSON.
func (d *database) has(t *testing.T, sql, want string) {
	t.Helper()
	var got *string
	if err := d.QueryRow(t.Context(), "SELECT json_agg(x)::text FROM ("+sql+") x").Scan(&got); err != nil {
		t.Fatal(err)
	}
	text := "null"
	if got != nil {
		text = strings.ReplaceAll(*got, ", \n ", ",")
	}
	if text != want {
		t.Errorf("%s\ngot  %s\nwant %s", sql, text, want)
	}
}

func refusal(t *testing.T, err error, reason string) {
	t.Helper()
	if refused, ok := errors.AsType[*schema.RefusedError](err); !ok || refused.Reason != reason {
		t.Fatalf("%v, want the reason %s", err, reason)
	}
}

var made = time.Date(2026, 3, 14, 9, 26, 53, 123456000, time.UTC)

func stamp(minutes int) *metav1.MicroTime {
	return new(metav1.NewMicroTime(made.Add(time.Duration(minutes) * time.Minute)))
}

func meta(id string, uid types.UID, generation int64) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name: v1alpha1.ObjectName("default", id), UID: uid, Generation: generation, CreationTimestamp: metav1.NewTime(made.Truncate(time.Second)),
	}
}

func jane(generation int64, change ...func(*v1alpha1.ClerkUser)) *v1alpha1.ClerkUser {
	user := &v1alpha1.ClerkUser{ObjectMeta: meta("user_1", "uid-1", generation), Spec: v1alpha1.ClerkUserSpec{
		Entity:         v1alpha1.Entity{Instance: "default", ID: "user_1", CreatedAt: stamp(0), UpdatedAt: stamp(int(generation))},
		PrimaryEmail:   v1alpha1.ClerkUserEmail{Address: "Jane@Acme.example", Verified: new(true)},
		Username:       "jane",
		FirstName:      "Jane",
		LastName:       "Doe",
		ImageURL:       "https://img.example/jane.png",
		ExternalID:     "crm-7",
		PublicMetadata: &runtime.RawExtension{Raw: []byte(`{"team":"a"}`)},
	}}
	for _, c := range change {
		c(user)
	}
	return user
}

func tombstone(id string, generation int64) *v1alpha1.ClerkUser {
	return &v1alpha1.ClerkUser{ObjectMeta: meta(id, "uid-1", generation), Spec: v1alpha1.ClerkUserSpec{
		Entity: v1alpha1.Entity{Instance: "default", ID: id, DeletedAt: stamp(60)},
	}}
}

func write(t *testing.T, w *writer.Writer, order writer.Order, objects ...client.Object) writer.Result {
	t.Helper()
	at, ok := rows.Identify(objects[0])
	if !ok {
		t.Fatalf("%+v is not mirrored", objects[0])
	}
	var batch []rows.Row
	for _, object := range objects {
		batch = append(batch, rows.Of(object, v1alpha1.DatabasePersonalDataInclude))
	}
	result, err := w.Write(t.Context(), schema.TableOf(at.Table), batch, order)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func TestRowsSayWhatTheObjectsSay(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	w := d.open(t, claim("a"))
	write(t, w, writer.NewerOnly, jane(1))
	write(t, w, writer.NewerOnly, &v1alpha1.ClerkOrganization{ObjectMeta: meta("org_1", "uid-2", 1), Spec: v1alpha1.ClerkOrganizationSpec{
		Entity:                v1alpha1.Entity{Instance: "default", ID: "org_1", CreatedAt: stamp(0), UpdatedAt: stamp(1)},
		Name:                  "Acme",
		Slug:                  "acme",
		ImageURL:              "https://img.example/acme.png",
		MaxAllowedMemberships: new(int64(5)),
		PublicMetadata:        &runtime.RawExtension{Raw: []byte(`{"plan":"pro"}`)},
	}})
	write(t, w, writer.NewerOnly, &v1alpha1.ClerkMember{ObjectMeta: meta("orgmem_1", "uid-3", 1), Spec: v1alpha1.ClerkMemberSpec{
		Entity:         v1alpha1.Entity{Instance: "default", ID: "orgmem_1", CreatedAt: stamp(0), UpdatedAt: stamp(1)},
		OrganizationID: "org_1",
		UserID:         "user_1",
		Role:           "org:admin",
		Permissions:    []string{"org:a:read", `odd"\,{}`},
	}})
	write(t, w, writer.NewerOnly, &v1alpha1.ClerkRole{ObjectMeta: meta("role_1", "uid-4", 1), Spec: v1alpha1.ClerkRoleSpec{
		Entity:      v1alpha1.Entity{Instance: "default", ID: "role_1", UpdatedAt: stamp(1)},
		Key:         "org:admin",
		Name:        "Admin",
		Description: "All",
		Permissions: []v1alpha1.RolePermission{{ID: "perm_1", Key: "org:a:read"}},
	}})
	write(t, w, writer.NewerOnly, &v1alpha1.ClerkPermission{ObjectMeta: meta("perm_1", "uid-5", 1), Spec: v1alpha1.ClerkPermissionSpec{
		Entity: v1alpha1.Entity{Instance: "default", ID: "perm_1", UpdatedAt: stamp(1)},
		Key:    "org:a:read",
		Name:   "Read",
	}})
	d.exec(t, "SET TIME ZONE 'UTC'")
	d.has(t, "SELECT id, email, email_verified, username, first_name, last_name, image_url, external_id, public_metadata, banned, created_at, "+
		"updated_at, deleted_at, object_uid, object_generation FROM clerk.users",
		`[{"id":"user_1","email":"Jane@Acme.example","email_verified":true,"username":"jane","first_name":"Jane","last_name":"Doe",`+
			`"image_url":"https://img.example/jane.png","external_id":"crm-7","public_metadata":{"team": "a"},"banned":false,`+
			`"created_at":"2026-03-14T09:26:53.123456+00:00","updated_at":"2026-03-14T09:27:53.123456+00:00","deleted_at":null,`+
			`"object_uid":"uid-1","object_generation":1}]`)
	d.has(t, "SELECT name, slug, image_url, max_allowed_memberships, public_metadata->>'plan' AS plan FROM clerk.organizations",
		`[{"name":"Acme","slug":"acme","image_url":"https://img.example/acme.png","max_allowed_memberships":5,"plan":"pro"}]`)
	d.has(t, "SELECT organization_name, email, role, permissions[1] AS first, permissions[2] AS second, kept_out FROM clerk.current_members",
		`[{"organization_name":"Acme","email":"Jane@Acme.example","role":"org:admin","first":"org:a:read","second":"odd\"\\,{}","kept_out":false}]`)
	d.has(t, "SELECT r.key, p.name FROM clerk.roles r JOIN clerk.permissions p ON p.key = ANY (r.permissions)",
		`[{"key":"org:admin","name":"Read"}]`)

	write(t, w, writer.NewerOnly, tombstone("user_1", 2))
	d.has(t, "SELECT id, email, email_verified, username, first_name, last_name, image_url, external_id, public_metadata, banned, created_at, "+
		"updated_at, deleted_at FROM clerk.users",
		`[{"id":"user_1","email":null,"email_verified":null,"username":null,"first_name":null,"last_name":null,"image_url":null,`+
			`"external_id":null,"public_metadata":null,"banned":null,"created_at":"2026-03-14T09:26:53.123456+00:00",`+
			`"updated_at":"2026-03-14T09:27:53.123456+00:00","deleted_at":"2026-03-14T10:26:53.123456+00:00"}]`)
	d.has(t, "SELECT * FROM clerk.current_members", "null")
}

func TestNothingOlderTakesThePlaceOfWhatIsNewer(t *testing.T) {
	t.Parallel()
	another := func(uid types.UID, madeAfter time.Duration) *v1alpha1.ClerkUser {
		return jane(1, func(u *v1alpha1.ClerkUser) {
			u.UID, u.Spec.FirstName, u.CreationTimestamp = uid, "Other", metav1.NewTime(made.Truncate(time.Second).Add(madeAfter))
		})
	}
	for name, tc := range map[string]struct {
		reason string
		second *v1alpha1.ClerkUser
		order  writer.Order
		want   string
	}{
		"the same":           {"nothing changed", jane(5), writer.NewerOnly, "Jane"},
		"older":              {"a late cache", jane(4, func(u *v1alpha1.ClerkUser) { u.Spec.FirstName = "Old" }), writer.NewerOnly, "Jane"},
		"newer":              {"", jane(6, func(u *v1alpha1.ClerkUser) { u.Spec.FirstName = "New" }), writer.NewerOnly, "New"},
		"other settings":     {"the same object, written otherwise", jane(5, func(u *v1alpha1.ClerkUser) { u.Spec.FirstName = "" }), writer.NewerOnly, "-"},
		"an object before":   {"what was there before has gone", another("uid-0", -time.Hour), writer.NewerOnly, "Jane"},
		"an object since":    {"", another("uid-2", time.Hour), writer.NewerOnly, "Other"},
		"in the same second": {"who comes last was looked at last", another("uid-2", 0), writer.NewerOnly, "Other"},
		"a restored backup":  {"it is as the API server says", jane(4, func(u *v1alpha1.ClerkUser) { u.Spec.FirstName = "Old" }), writer.AsItStands, "Old"},
		"a tombstone, too late": {"it has been made again since", func() *v1alpha1.ClerkUser {
			u := tombstone("user_1", 9)
			u.UID = "uid-0"
			u.CreationTimestamp.Time = made.Add(-time.Hour)
			return u
		}(), writer.NewerOnly, "Jane"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDatabase(t)
			w := d.open(t, claim("a"))
			write(t, w, writer.NewerOnly, jane(5))
			result := write(t, w, tc.order, tc.second)
			d.has(t, "SELECT COALESCE(first_name, '-') AS name FROM clerk.users", `[{"name":"`+tc.want+`"}]`)
			if wrote := result.Written == 1; wrote != (tc.want != "Jane") {
				t.Errorf("%s: wrote %d", tc.reason, result.Written)
			}
		})
	}
}

func TestAWriterThatWasOvertakenWritesNothing(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	old := d.open(t, claim("a"))
	write(t, old, writer.NewerOnly, jane(1))
	d.open(t, claim("a"))
	users := schema.TableOf(v1alpha1.DatabaseUsers)
	_, err := old.Write(t.Context(), users, []rows.Row{rows.Of(jane(2), v1alpha1.DatabasePersonalDataInclude)}, writer.AsItStands)
	if !errors.Is(err, writer.ErrNotOwner) {
		t.Errorf("write: %v", err)
	}
	if _, err := old.Gone(t.Context(), users, []writer.Known{{ID: "user_1", Object: rows.Object{UID: "uid-1"}}}); !errors.Is(err, writer.ErrNotOwner) {
		t.Errorf("gone: %v", err)
	}
	if err := old.Empty(t.Context(), users); !errors.Is(err, writer.ErrNotOwner) {
		t.Errorf("empty: %v", err)
	}
	if err := old.Beat(t.Context()); !errors.Is(err, writer.ErrNotOwner) {
		t.Errorf("beat: %v", err)
	}
	d.has(t, "SELECT object_generation AS g, first_name AS n FROM clerk.users", `[{"g":1,"n":"Jane"}]`)
}

func TestASchemaOfSomebodyElseIsRefusedAndLeftAlone(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ setup, reason string }{
		"a table":             {"CREATE SCHEMA clerk; CREATE TABLE clerk.users (name text)", v1alpha1.ReasonSchemaTaken},
		"a view":              {"CREATE SCHEMA clerk; CREATE VIEW clerk.v AS SELECT 1 AS one", v1alpha1.ReasonSchemaTaken},
		"a function":          {"CREATE SCHEMA clerk; CREATE FUNCTION clerk.f() RETURNS int LANGUAGE sql AS 'SELECT 1'", v1alpha1.ReasonSchemaTaken},
		"a type":              {"CREATE SCHEMA clerk; CREATE TYPE clerk.t AS ENUM ('a')", v1alpha1.ReasonSchemaTaken},
		"a mark of another's": {"CREATE SCHEMA clerk; CREATE VIEW clerk.clerk_operator AS SELECT 1 AS version", v1alpha1.ReasonSchemaTaken},
		"empty":               {"CREATE SCHEMA clerk", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDatabase(t)
			d.exec(t, tc.setup)
			w, err := writer.Open(t.Context(), d.settings, claim("a"))
			if tc.reason == "" {
				if err != nil {
					t.Fatal(err)
				}
				w.Close()
				return
			}
			refusal(t, err, tc.reason)
			d.has(t, "SELECT count(*) AS n FROM pg_class WHERE relnamespace = 'clerk'::regnamespace AND relname IN ('memberships', 'organizations')",
				`[{"n":0}]`)
		})
	}
}

func TestASchemaHasOneOwner(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	d.open(t, claim("a"))
	_, err := writer.Open(t.Context(), d.settings, claim("b"))
	refusal(t, err, v1alpha1.ReasonSchemaInUse)
	other := claim("a")
	other.Instance = "another"
	_, err = writer.Open(t.Context(), d.settings, other)
	refusal(t, err, v1alpha1.ReasonSchemaTaken)
	d.exec(t, "UPDATE clerk.clerk_operator SET seen_at = now() - interval '6 minutes'")
	d.open(t, claim("b"))
	_, err = writer.Open(t.Context(), d.settings, claim("a"))
	refusal(t, err, v1alpha1.ReasonSchemaInUse)

	d.exec(t, "UPDATE clerk.clerk_operator SET version = 99")
	_, err = writer.Open(t.Context(), d.settings, claim("b"))
	refusal(t, err, v1alpha1.ReasonSchemaNewer)
	d.exec(t, "UPDATE clerk.clerk_operator SET version = 1; ALTER TABLE clerk.users RENAME COLUMN email TO mail")
	_, err = writer.Open(t.Context(), d.settings, claim("b"))
	refusal(t, err, v1alpha1.ReasonSchemaChanged)
}

func TestTwoThatMigrateAtATimeMakeOneSchema(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	errs := make(chan error)
	for range 4 {
		go func() {
			w, err := writer.Open(context.Background(), d.settings, claim("a"))
			if err == nil {
				w.Close()
			}
			errs <- err
		}()
	}
	for range 4 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	d.has(t, "SELECT version, epoch FROM clerk.clerk_operator", `[{"version":1,"epoch":4}]`)
}

func TestWhatPostgreSQLCannotHoldIsLeftOut(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	w := d.open(t, claim("a"))
	odd := jane(1, func(u *v1alpha1.ClerkUser) {
		u.Spec.FirstName, u.Spec.LastName = "Ja\x00ne", "\xff"
		u.Spec.PublicMetadata.Raw, _ = json.Marshal(map[string]any{
			"a\x00b": "c\x00d", "big": json.Number("1e999999"), "tiny": json.Number("1e-999999"), "n": json.Number("12345678901234567890.5"),
			"list": []any{"\x00", map[string]any{"\x00": nil}},
		})
		u.Spec.PublicMetadata.Raw = append(u.Spec.PublicMetadata.Raw[:len(u.Spec.PublicMetadata.Raw)-1], `,"half":"\ud800"}`...)
	})
	if result := write(t, w, writer.NewerOnly, odd); result.Written != 1 || len(result.Reduced) != 0 {
		t.Errorf("%+v", result)
	}
	d.has(t, "SELECT first_name, last_name, public_metadata->>'a\uFFFDb' AS a, public_metadata->>'n' AS n, public_metadata->>'half' AS half, "+
		"public_metadata->>'big' AS big, public_metadata->>'tiny' AS tiny FROM clerk.users",
		`[{"first_name":"Ja`+"\uFFFD"+`ne","last_name":"`+"\uFFFD"+`","a":"c`+"\uFFFD"+`d","n":"12345678901234567890.5","half":"`+"\uFFFD"+
			`","big":null,"tiny":"0"}]`)
}

func people(from, to int) []client.Object {
	var objects []client.Object
	for i := from; i < to; i++ {
		id := fmt.Sprintf("user_%03d", i)
		objects = append(objects, &v1alpha1.ClerkUser{ObjectMeta: meta(id, types.UID(id), 1), Spec: v1alpha1.ClerkUserSpec{
			Entity:    v1alpha1.Entity{Instance: "default", ID: id, UpdatedAt: stamp(1)},
			FirstName: id,
		}})
	}
	return objects
}

func TestARowThatIsRefusedHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	w := d.open(t, claim("a"))
	d.exec(t, `ALTER TABLE clerk.users ADD CONSTRAINT short CHECK (first_name <> 'user_007'), ADD CONSTRAINT never CHECK (id <> 'user_040')`)
	result := write(t, w, writer.NewerOnly, people(0, 100)...)
	if result.Written != 99 || !slices.Equal(result.Reduced, []string{"user_007"}) || !slices.Equal(result.Refused, []string{"user_040"}) ||
		result.RefusedCode != "23514" {
		t.Errorf("%+v", result)
	}
	d.has(t, "SELECT count(*) AS n, count(first_name) AS named FROM clerk.users", `[{"n":99,"named":98}]`)
	if again := write(t, w, writer.NewerOnly, people(7, 8)...); again.Written != 0 {
		t.Errorf("what was reduced is written again: %+v", again)
	}
	d.exec(t, `ALTER TABLE clerk.users ADD COLUMN theirs text NOT NULL DEFAULT 'x'; ALTER TABLE clerk.users ALTER theirs DROP DEFAULT`)
	var batch []rows.Row
	for _, object := range people(200, 300) {
		batch = append(batch, rows.Of(object, v1alpha1.DatabasePersonalDataInclude))
	}
	_, err := w.Write(t.Context(), schema.TableOf(v1alpha1.DatabaseUsers), batch, writer.NewerOnly)
	if code := postgres.Code(err); code != "23502" {
		t.Errorf("a column that nobody can fill: %v", err)
	}
}

func TestThoseWhoListenAreToldWhatChanged(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	w := d.open(t, claim("a"))
	d.exec(t, "LISTEN clerk")
	told := func() string {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		n, err := d.WaitForNotification(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return n.Payload
	}
	write(t, w, writer.NewerOnly, people(0, 2)...)
	if got, want := told(), `{"table" : "users", "ids" : ["user_000", "user_001"]}`; got != want {
		t.Errorf("told %s, want %s", got, want)
	}
	write(t, w, writer.NewerOnly, people(0, 2)...) // changes nothing, and tells nobody
	write(t, w, writer.NewerOnly, people(0, 200)...)
	if got, want := told(), `{"table" : "users"}`; got != want {
		t.Errorf("told %s, want %s", got, want)
	}
	changed, err := w.Gone(t.Context(), schema.TableOf(v1alpha1.DatabaseUsers), []writer.Known{
		{ID: "user_003", Object: rows.Object{UID: "user_003"}}, {ID: "user_004", Object: rows.Object{UID: "another by that id"}},
	})
	if err != nil || changed != 1 {
		t.Errorf("%d gone, %v", changed, err)
	}
	if got, want := told(), `{"table" : "users", "ids" : ["user_003"]}`; got != want {
		t.Errorf("told %s, want %s", got, want)
	}
	living, deleted, err := w.Count(t.Context(), schema.TableOf(v1alpha1.DatabaseUsers))
	if err != nil || living != 199 || deleted != 1 {
		t.Errorf("%d rows, %d deleted, %v", living, deleted, err)
	}
	page, err := w.Page(t.Context(), schema.TableOf(v1alpha1.DatabaseUsers), "user_001", 2)
	if err != nil || len(page) != 2 || page[0].ID != "user_002" || page[0].IsDeleted || page[1].ID != "user_003" || !page[1].IsDeleted {
		t.Errorf("%+v, %v", page, err)
	}
	if err := w.Empty(t.Context(), schema.TableOf(v1alpha1.DatabaseUsers)); err != nil {
		t.Fatal(err)
	}
	d.has(t, "SELECT count(*) AS n FROM clerk.users", `[{"n":0}]`)
}
