import { useState } from 'preact/hooks'
import { Chip, counted, matches, organizationLink, personLink, Search, State, Waiting, wordsOf } from './parts'
import { type Row, Rows, useRowHeight } from './rows'
import { useAnswer } from './server'
import type { Binding, Holder, Member, Namespace, Subject, Tree } from './types'

/** A RoleBinding or ClusterGrant of more subjects is closed at first. */
const maxOpen = 20

export function OrganizationView({ name, tab }: { name: string, tab: string }) {
  const { data, error } = useAnswer<Tree>(`/api/organization?name=${encodeURIComponent(name)}`)
  const [search, setSearch] = useState('')
  const [toggled, setToggled] = useState<ReadonlySet<string>>(new Set())
  const treeHeight = useRowHeight(38, 44)
  const peopleHeight = useRowHeight(48, 76)
  if (!data) return <Waiting error={error} />
  const { organization, tree, people } = data
  const toggle = (key: string) => setToggled(before => {
    const next = new Set(before)
    if (!next.delete(key)) next.add(key)
    return next
  })
  const words = wordsOf(search)
  const link = organizationLink(name)
  return (
    <>
      <header class="head">
        <h1 tabIndex={-1}>{organization.title}</h1>
        <p class="facts">
          {organization.fullName && organization.fullName !== organization.title && <span>{organization.fullName}</span>}
          <code>{organization.id}</code>
          {organization.class ? <Chip>{organization.class}</Chip> : <span>no class</span>}
          <span>{counted(organization.members, 'member', 'members')}</span>
          {organization.deleted ? <span class="state none">Deleted in Clerk</span> : <State isGood={organization.ready} bad={organization.reason} />}
        </p>
        {!organization.ready && organization.message && <p class="advice">{organization.message}</p>}
      </header>
      <div class="bar">
        <nav class="tabs" aria-label="Of this organization">
          <a href={link} aria-current={tab === '' ? 'page' : undefined}>Tree</a>
          <a href={`${link}/people`} aria-current={tab === 'people' ? 'page' : undefined}>People</a>
        </nav>
        <Search value={search} label={tab === 'people' ? 'Search people' : 'Search the tree'} onInput={setSearch} />
      </div>
      {error && <p class="problem" role="alert">{error}</p>}
      {tab === 'people'
        ? data.message
          ? <p class="problem" role="alert">{data.message}</p>
          : <Rows label={`People of ${organization.title}`} rowHeight={peopleHeight} empty="Nobody."
              rows={people.filter(person => matches(words, person.person, person.userID, person.role, person.accessText, person.reason))
                .map(person => memberRow(organization.instance, person))} />
        : <Rows key="tree" isTree label={`Tree of ${organization.title}`} rowHeight={treeHeight}
            empty={words.length > 0 ? 'Nothing is called that.' : 'It has no namespace, or you may not see any.'}
            rows={treeRows([...tree.namespaces, ...wholeCluster(tree.clusterGrants)], people, organization.instance, words, toggled, toggle)} />}
    </>
  )
}

function memberRow(instance: string, member: Member): Row {
  return {
    key: member.member, href: personLink(instance, member.userID), className: 'member', content: (
      <>
        <span class="title"><b>{member.person}</b></span>
        <span class="role">{member.role || '?'}</span>
        <span class={`access ${member.reason ? 'bad' : 'good'}`}>{member.reason ? `none: ${member.reason}` : member.accessText}</span>
        <span class="number">{member.joinedAt && `since ${member.joinedAt.slice(0, 10)}`}</span>
      </>
    ),
  }
}

/** What ClusterGrants give, as a place beside the namespaces: no namespace has spaces in its name. */
function wholeCluster(holders: Holder[] = []): Namespace[] {
  const grants = new Map<string, Binding>()
  for (const holder of [...holders].sort((a, b) => a.name < b.name ? -1 : a.name > b.name ? 1 : 0)) {
    const grant = grants.get(holder.name) ?? { name: `ClusterGrant ${holder.name}`, role: holder.clusterRole, subjects: [] }
    grant.subjects.push(holder)
    grants.set(holder.name, grant)
  }
  return grants.size > 0 ? [{ name: 'the whole cluster', roleBindings: [...grants.values()] }] : []
}

function SubjectContent({ subject }: { subject: Subject }) {
  return (
    <>
      {subject.person && <span>{subject.person}</span>}<small>{subject.subject}</small>
      {subject.message && <Chip>{subject.uncertain ? 'perhaps' : 'should not have it'}</Chip>}
      {subject.message && <small class="why" title={subject.message}>{subject.message}</small>}
      {subject.until && <span class="number">until {subject.until}</span>}
    </>
  )
}

/** The tree as lines: those of what is closed are left out, and what leads to what was searched for is not. */
function treeRows(
  namespaces: Namespace[], people: Member[], instance: string, words: string[], toggled: ReadonlySet<string>, toggle: (key: string) => void,
): Row[] {
  const rows: Row[] = []
  const members = new Map(people.filter(person => person.subject).map(person => [person.subject, person]))
  const isSearch = words.length > 0
  namespaces.forEach((namespace, at) => {
    const inside: Row[] = []
    namespace.roleBindings.forEach((binding, at) => {
      const key = `${namespace.name}/${binding.name}`
      const isWhole = matches(words, namespace.name, binding.role, binding.name)
      const subjects = binding.subjects.filter(subject => isWhole || matches(words, subject.subject, subject.person))
      if (isSearch && subjects.length === 0 && !isWhole) return
      const isOpen = isSearch || (binding.subjects.length <= maxOpen) !== toggled.has(key)
      inside.push({
        key, level: 2, isOpen, toggle: () => toggle(key), at: at + 1, of: namespace.roleBindings.length, className: 'binding', content: (
          <><b>{binding.role}</b><small>{binding.name}</small><span class="number">{counted(binding.subjects.length, 'subject', 'subjects')}</span></>
        ),
      })
      if (!isOpen) return
      subjects.forEach((subject, at) => {
        const member = members.get(subject.subject)
        inside.push({
          key: `${key}/${subject.subject}`, level: 3, at: at + 1, of: subjects.length, className: 'subject',
          href: member && personLink(instance, member.userID),
          content: <SubjectContent subject={subject} />,
        })
      })
    })
    if (isSearch && inside.length === 0 && !matches(words, namespace.name)) return
    const isOpen = isSearch || !toggled.has(namespace.name)
    rows.push({
      key: namespace.name, level: 1, isOpen, toggle: () => toggle(namespace.name), at: at + 1, of: namespaces.length, className: 'namespace',
      content: <><b>{namespace.name}</b>{namespace.state && namespace.state !== 'Active' && <Chip>{namespace.state}</Chip>}</>,
    })
    if (isOpen) rows.push(...inside)
  })
  return rows
}
