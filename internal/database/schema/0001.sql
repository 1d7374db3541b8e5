-- What the operator knows of this schema, in one row. Who owns the epoch writes.
CREATE TABLE {schema}.clerk_operator (
  single   boolean PRIMARY KEY DEFAULT true CHECK (single),
  version  integer NOT NULL,
  instance text NOT NULL,
  owner    text NOT NULL,
  epoch    bigint NOT NULL,
  seen_at  timestamptz NOT NULL
);

CREATE TABLE {schema}.organizations (
  id                      text COLLATE "C" PRIMARY KEY,
  name                    text,
  slug                    text,
  image_url               text,
  max_allowed_memberships bigint,
  public_metadata         jsonb,
  created_at              timestamptz,
  updated_at              timestamptz,
  deleted_at              timestamptz,
  synced_at               timestamptz NOT NULL,
  object_uid              text NOT NULL,
  object_generation       bigint NOT NULL,
  object_created_at       timestamptz NOT NULL,
  content_hash            bigint NOT NULL
);

CREATE TABLE {schema}.users (
  id                text COLLATE "C" PRIMARY KEY,
  email             text,
  email_verified    boolean,
  username          text,
  first_name        text,
  last_name         text,
  image_url         text,
  external_id       text,
  public_metadata   jsonb,
  banned            boolean,
  locked            boolean,
  deprovisioned     boolean,
  created_at        timestamptz,
  updated_at        timestamptz,
  deleted_at        timestamptz,
  synced_at         timestamptz NOT NULL,
  object_uid        text NOT NULL,
  object_generation bigint NOT NULL,
  object_created_at timestamptz NOT NULL,
  content_hash      bigint NOT NULL
);

CREATE TABLE {schema}.memberships (
  id                text COLLATE "C" PRIMARY KEY,
  organization_id   text COLLATE "C",
  user_id           text COLLATE "C",
  role              text,
  permissions       text[],
  public_metadata   jsonb,
  created_at        timestamptz,
  updated_at        timestamptz,
  deleted_at        timestamptz,
  synced_at         timestamptz NOT NULL,
  object_uid        text NOT NULL,
  object_generation bigint NOT NULL,
  object_created_at timestamptz NOT NULL,
  content_hash      bigint NOT NULL
);

CREATE TABLE {schema}.roles (
  id                text COLLATE "C" PRIMARY KEY,
  key               text,
  name              text,
  description       text,
  permissions       text[],
  created_at        timestamptz,
  updated_at        timestamptz,
  deleted_at        timestamptz,
  synced_at         timestamptz NOT NULL,
  object_uid        text NOT NULL,
  object_generation bigint NOT NULL,
  object_created_at timestamptz NOT NULL,
  content_hash      bigint NOT NULL
);

CREATE TABLE {schema}.permissions (
  id                text COLLATE "C" PRIMARY KEY,
  key               text,
  name              text,
  description       text,
  created_at        timestamptz,
  updated_at        timestamptz,
  deleted_at        timestamptz,
  synced_at         timestamptz NOT NULL,
  object_uid        text NOT NULL,
  object_generation bigint NOT NULL,
  object_created_at timestamptz NOT NULL,
  content_hash      bigint NOT NULL
);

-- Hash indexes where a value can be longer than a B-tree takes.
CREATE INDEX organizations_slug ON {schema}.organizations USING hash (slug);
CREATE INDEX users_email ON {schema}.users USING hash (lower(email));
CREATE INDEX users_username ON {schema}.users USING hash (username);
CREATE INDEX users_external_id ON {schema}.users USING hash (external_id);
CREATE INDEX memberships_organization_id ON {schema}.memberships (organization_id) WHERE deleted_at IS NULL;
CREATE INDEX memberships_user_id ON {schema}.memberships (user_id) WHERE deleted_at IS NULL;
CREATE INDEX roles_key ON {schema}.roles USING hash (key);
CREATE INDEX permissions_key ON {schema}.permissions USING hash (key);

-- For who asks time and again what has changed since.
CREATE INDEX organizations_synced_at ON {schema}.organizations (synced_at);
CREATE INDEX users_synced_at ON {schema}.users (synced_at);
CREATE INDEX memberships_synced_at ON {schema}.memberships (synced_at);
CREATE INDEX roles_synced_at ON {schema}.roles (synced_at);
CREATE INDEX permissions_synced_at ON {schema}.permissions (synced_at);

-- Who is in which organization now. Where organizations or users are not kept in step, theirs is empty.
CREATE VIEW {schema}.current_members AS
SELECT m.organization_id,
       o.name      AS organization_name,
       o.slug      AS organization_slug,
       m.user_id,
       u.email,
       u.email_verified,
       u.username,
       u.first_name,
       u.last_name,
       u.image_url,
       COALESCE(u.banned, false) OR COALESCE(u.deprovisioned, false) AS kept_out,
       m.role,
       m.permissions,
       m.id        AS membership_id,
       m.created_at AS joined_at
FROM {schema}.memberships m
LEFT JOIN {schema}.organizations o ON o.id = m.organization_id
LEFT JOIN {schema}.users u ON u.id = m.user_id
WHERE m.deleted_at IS NULL AND o.deleted_at IS NULL AND u.deleted_at IS NULL;

COMMENT ON TABLE {schema}.clerk_operator IS 'clerk-operator: what it knows of this schema';
COMMENT ON VIEW {schema}.current_members IS 'clerk-operator: who is in which organization now';
