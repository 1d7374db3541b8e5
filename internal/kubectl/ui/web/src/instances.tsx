import { type ComponentChildren } from 'preact'
import { Ago, Chip, counted, organizationLink, State, Waiting } from './parts'
import { useAnswer } from './server'
import type { Count, Held, Instance, Instances, Judged } from './types'

export function InstancesView() {
  const { data, error } = useAnswer<Instances>('/api/instances')
  if (!data) return <Waiting error={error} />
  const { status, held, silent } = data
  const instances = status.instances ?? []
  return (
    <div class="scroll">
      <h1 class="visually-hidden">Instances</h1>
      {error && <p class="problem" role="alert">{error}</p>}
      {instances.length === 0 && <p class="empty">There is no ClerkInstance: nothing is heard from Clerk.</p>}
      {instances.map(instance => (
        <InstanceCard key={instance.name} instance={instance} silent={silent[instance.name]} held={held.filter(item => item.instance === instance.name)} />
      ))}
      <dl class="totals">
        <Total count={status.classes} one="class" many="classes" />
        <Total count={status.tenants} one="organization" many="organizations" />
        {status.members && <Total count={status.members} one="member" many="members" ready="with access" />}
        <Total count={countOf(status.sinks)} one="sink" many="sinks" />
        <Total count={countOf(status.databases)} one="database" many="databases" />
      </dl>
      {status.well
        ? <p class="well"><State isGood good="All is well." /></p>
        : <section aria-label="Not ready"><h2 class="list">Not ready</h2><ul class="wrong">{(status.notReady ?? []).map(wrong)}</ul></section>}
    </div>
  )
}

const countOf = (all: Judged[] = []): Count => ({ total: all.length, ready: all.filter(one => one.ready).length })

function Total({ count, one, many, ready = 'ready' }: { count: Count, one: string, many: string, ready?: string }) {
  return (
    <div>
      <dt>{count.total === 1 ? one : many}</dt>
      <dd>{count.total.toLocaleString('en')}{count.ready !== count.total && <small>{count.ready.toLocaleString('en')} {ready}</small>}</dd>
    </div>
  )
}

const wrong = (object: Judged) => (
  <li key={`${object.kind}/${object.name}/${object.reason}`}>
    <p><Chip>{object.kind}</Chip> {object.kind === 'ClerkOrganization'
      ? <a href={organizationLink(object.name)}>{object.title || object.name}</a>
      : <b>{object.title || object.name}</b>} <span class="state bad">{object.reason}</span></p>
    <p>{object.message}</p>
  </li>
)

function Fact({ name, children }: { name: string, children: ComponentChildren }) {
  return <div><dt>{name}</dt><dd>{children}</dd></div>
}

function InstanceCard({ instance, silent, held }: { instance: Instance, silent?: string, held: Held[] }) {
  return (
    <section class={`card ${instance.ready ? 'good' : 'bad'}`} aria-label={instance.name}>
      <h2>{instance.name}<State isGood={instance.ready} bad={instance.reason} /></h2>
      {instance.message && <p class="verdict">{instance.message}</p>}
      <dl class="grid">
        <Fact name="Mode">{instance.mode || 'not said'}</Fact>
        <Fact name="Last delivery"><Ago at={instance.lastEvent} none="never" />{instance.lastEventType && <small>{instance.lastEventType}</small>}</Fact>
        <Fact name="Silent since">{silent ? <Ago at={silent} /> : 'nothing is delivered to it'}</Fact>
        <Fact name="Last refusal"><Ago at={instance.lastRefusal} none="none" />{instance.lastRefusalReason && <small>{instance.lastRefusalReason}</small>}</Fact>
        <Fact name="Last resync"><Ago at={instance.lastResync} none="none" />{instance.lastResyncResult && <small>{instance.lastResyncResult}</small>}</Fact>
        <Fact name="Drift">{counted(instance.drift ?? 0, 'object', 'objects')}</Fact>
        <Fact name="Held">{held.length === 0 ? 'nothing' : counted(held.reduce((sum, item) => sum + item.count, 0), 'object', 'objects')}</Fact>
      </dl>
      {held.map(item => (
        <div class="held" key={item.name}>
          <p><Chip>{item.kind}</Chip> {counted(item.count, 'object', 'objects')}: {item.kind === 'Removals'
            ? 'Clerk no longer lists them. Look for some in Clerk before you release them.'
            : 'They are deleted here, and Clerk lists them. Find out what deleted them before you release them.'}</p>
          <p class="ids">{(item.ids ?? []).map(id => <code key={id}>{id}</code>)}</p>
          <pre>kubectl clerk prune release {item.name}</pre>
        </div>
      ))}
    </section>
  )
}
