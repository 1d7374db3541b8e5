import { useState } from 'preact/hooks'
import { Chip, counted, matches, organizationLink, Search, State, Waiting, wordsOf } from './parts'
import { Rows, useRowHeight } from './rows'
import { useAnswer } from './server'
import type { Organization } from './types'

/** What was searched for last: who comes back finds it. */
let lastSearch = ''
let lastOnlyNotReady = false

export function Organizations() {
  const { data, error } = useAnswer<{ items: Organization[] }>('/api/organizations')
  const [search, setSearch] = useState(lastSearch)
  const [onlyNotReady, setOnlyNotReady] = useState(lastOnlyNotReady)
  const rowHeight = useRowHeight(52, 72)
  lastSearch = search
  lastOnlyNotReady = onlyNotReady
  if (!data) return <Waiting error={error} />
  const words = wordsOf(search)
  const notReady = data.items.filter(item => !item.ready).length
  const found = data.items.filter(item => (!onlyNotReady || !item.ready) &&
    matches(words, item.title, item.fullName, item.id, item.name, item.class, item.reason, ...item.namespaces))
  const count = words.length > 0 || onlyNotReady
    ? `${found.length.toLocaleString('en')} of ${counted(data.items.length, 'organization', 'organizations')}`
    : counted(data.items.length, 'organization', 'organizations')
  return (
    <>
      <div class="bar">
        <h1 class="visually-hidden">Organizations</h1>
        <Search value={search} label="Search organizations" onInput={setSearch} />
        <p class="count" role="status">{count}</p>
        {notReady > 0 && (
          <button type="button" class="filter" aria-pressed={onlyNotReady} onClick={() => setOnlyNotReady(!onlyNotReady)}>
            {notReady.toLocaleString('en')} not ready
          </button>
        )}
      </div>
      {error && <p class="problem" role="alert">{error}</p>}
      <Rows label="Organizations" rowHeight={rowHeight}
        empty={data.items.length === 0 ? 'No organization is mirrored yet.' : 'No organization is called that.'}
        rows={found.map(item => ({ key: item.name, href: organizationLink(item.name), className: 'organization', content: <Line item={item} /> }))} />
    </>
  )
}

function Line({ item }: { item: Organization }) {
  return (
    <>
      <span class="title"><b>{item.title}</b>{item.fullName && item.fullName !== item.title && <small>{item.fullName}</small>}</span>
      <span class="class">{item.class ? <Chip>{item.class}</Chip> : <small>no class</small>}</span>
      <span class="number">{counted(item.members, 'member', 'members')}</span>
      <State isGood={item.ready} bad={item.reason} />
    </>
  )
}
