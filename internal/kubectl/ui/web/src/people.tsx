import { useState } from 'preact/hooks'
import { Ago, counted, organizationLink, personLink, Search, State, Waiting } from './parts'
import { Rows, useRowHeight } from './rows'
import { useAnswer } from './server'
import type { Membership, People, Step, Why } from './types'

let lastSearch = ''

/** How many of a person's organizations a row names. */
const maxNamed = 3

export function PeopleView() {
  const [search, setSearch] = useState(lastSearch)
  const [before, setBefore] = useState<People>()
  const rowHeight = useRowHeight(52, 72)
  lastSearch = search
  const { data = before, error } = useAnswer<People>(`/api/people?search=${encodeURIComponent(search.trim())}`)
  if (data !== before) setBefore(data) // shown while the next answer is on its way
  return (
    <>
      <div class="bar">
        <h1 class="visually-hidden">People</h1>
        <Search value={search} label="Search people" onInput={setSearch} />
        <p class="count" role="status">
          {data && (data.total > data.items.length
            ? `The first ${data.items.length} of ${counted(data.total, 'person', 'people')}`
            : counted(data.total, 'person', 'people'))}
        </p>
      </div>
      {error && <p class="problem" role="alert">{error}</p>}
      {data && <Rows label="People" rowHeight={rowHeight} empty="Nobody is called that." rows={data.items.map(person => ({
        key: `${person.instance}/${person.id}`, href: personLink(person.instance, person.id), className: 'person', content: (
          <>
            <span class="title"><b>{person.person}</b><small>{person.name || person.id}</small></span>
            <span class="class">{named(person.organizations)}</span>
            <span class="number">{counted(person.organizations.length, 'organization', 'organizations')}</span>
          </>
        ),
      }))} />}
    </>
  )
}

const named = (all: string[]) => all.slice(0, maxNamed).join(', ') + (all.length > maxNamed ? ' …' : '')

export function PersonView({ instance, id }: { instance: string, id: string }) {
  const { data, error } = useAnswer<Why>(`/api/person?instance=${encodeURIComponent(instance)}&id=${encodeURIComponent(id)}`)
  if (!data) return <Waiting error={error} />
  const { person, why, names } = data
  return (
    <div class="scroll">
      <header class="head">
        <h1 tabIndex={-1}>{person.person}</h1>
        <p class="facts">
          {person.name && person.name !== person.person && <span>{person.name}</span>}
          <code>{person.id}</code><span>of {person.instance}</span>
        </p>
      </header>
      {error && <p class="problem" role="alert">{error}</p>}
      {why.message && <p class="problem">{why.message}</p>}
      {why.memberships.map(membership => <MembershipCard key={membership.member} membership={membership}
        name={names[membership.organizationID]} />)}
    </div>
  )
}

const titles: Record<string, string> = { rolebinding: 'RoleBinding', apiserver: 'API server' }
const marks: Record<Step['state'], [string, string]> = {
  Passed: ['✓', 'passed'], Broken: ['✗', 'broken'], Unknown: ['?', 'not known'], NotReached: ['·', 'not reached'],
}

function MembershipCard({ membership, name }: { membership: Membership, name?: string }) {
  return (
    <section class={`card ${membership.hasAccess ? 'good' : 'bad'}`} aria-label={membership.organization} data-member={membership.member}>
      <h2>{name ? <a href={organizationLink(name)}>{membership.organization}</a> : membership.organization}<State isGood={membership.hasAccess} good="Has access" bad="No access" /></h2>
      <p class="verdict">{membership.message}</p>
      {membership.advice && <p class="advice"><b>What to do:</b> {membership.advice}</p>}
      <ol class="steps">
        {membership.steps.map(step => (
          <li key={step.name} class={step.state.toLowerCase()} data-step={step.name} data-state={step.state}>
            <span class="mark" role="img" aria-label={marks[step.state][1]}>{marks[step.state][0]}</span>
            <b>{titles[step.name] ?? step.name}</b>
            <span class="what">
              {step.message}
              {step.from && <small><code>{step.from}</code>{step.saidAt && <>, Clerk said so <Ago at={step.saidAt} /></>}</small>}
            </span>
          </li>
        ))}
      </ol>
    </section>
  )
}
