// What the server answers: internal/kubectl/ui_answers.go, and the kinds of docs/kubectl.md.

export type State = {
  context: string, now: string, loading: string[] | null, stale: string[] | null, notes: string[] | null, late: boolean,
}

export type Organization = {
  name: string, title: string, fullName?: string, id: string, instance: string, class?: string, members: number,
  ready: boolean, reason?: string, message?: string, deleted?: boolean, namespaces: string[],
}

/** What stands behind the person is told of ClusterGrants alone. */
export type Subject = { subject: string, person?: string, until?: string, uncertain?: boolean, message?: string }
export type Holder = Subject & { name: string, clusterRole: string }
export type Binding = { name: string, role: string, subjects: Subject[] }
export type Namespace = { name: string, state?: string, roleBindings: Binding[] }

export type Member = {
  person: string, userID: string, member: string, subject?: string, role?: string, reason?: string, joinedAt?: string, accessText?: string,
}

export type Tree = { organization: Organization, tree: { namespaces: Namespace[], clusterGrants?: Holder[] }, people: Member[], message?: string }

export type Person = { instance: string, id: string, person: string, name?: string, organizations: string[] }
export type People = { total: number, items: Person[] }

export type Step = {
  name: string, state: 'Passed' | 'Broken' | 'Unknown' | 'NotReached', message?: string, from?: string, saidAt?: string,
}
export type Membership = {
  member: string, person: string, organization: string, organizationID: string, subject?: string, hasAccess: boolean,
  reason: string, message: string, advice?: string, steps: Step[],
}
export type Why = { person: Person, names: Record<string, string>, why: { hasAccess: boolean, message?: string, memberships: Membership[] } }

export type Judged = { kind: string, name: string, title?: string, ready: boolean, reason?: string, message?: string }
export type Instance = Judged & {
  mode: string, lastEvent?: string, lastEventType?: string, lastRefusal?: string, lastRefusalReason?: string,
  lastResync?: string, lastResyncResult?: string, drift?: number, held?: string[],
}
export type Count = { total: number, ready: number }
export type Held = { instance: string, kind: string, name: string, count: number, ids?: string[] }
export type Instances = {
  status: {
    well: boolean, instances: Instance[] | null, sinks?: Judged[], databases?: Judged[], classes: Count, tenants: Count, members?: Count,
    notReady?: Judged[],
  },
  held: Held[], silent: Record<string, string>,
}
