import { render } from 'preact'
import { useEffect, useLayoutEffect, useState } from 'preact/hooks'
import { InstancesView } from './instances'
import { OrganizationView } from './organization'
import { Organizations } from './organizations'
import './page.css'
import { PeopleView, PersonView } from './people'
import { hear, takeToken, useConnection } from './server'
import type { State } from './types'

const parts = () => location.hash.replace(/^#\/?/, '').split('/').map(decodeURIComponent)

/** Where Esc leads from a view: to the list that it is of. */
const up = ([view, name]: string[]) => name ? `#/${view}` : ''

function useRoute(): string[] {
  const [route, setRoute] = useState(parts)
  useEffect(() => {
    const onChange = () => setRoute(parts())
    addEventListener('hashchange', onChange)
    return () => removeEventListener('hashchange', onChange)
  }, [])
  return route
}

function useKeys(route: string[]) {
  useLayoutEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return
      const field = document.querySelector<HTMLInputElement>('#search')
      const isInField = document.activeElement === field
      if (event.key === '/' && field && !isInField) {
        event.preventDefault()
        field.focus()
        field.select()
      } else if (event.key === 'Escape') {
        event.preventDefault()
        if (field && isInField && field.value) {
          field.value = ''
          field.dispatchEvent(new InputEvent('input', { bubbles: true }))
        } else if (field && isInField) field.blur()
        else if (up(route)) location.hash = up(route)
      }
    }
    addEventListener('keydown', onKey)
    return () => removeEventListener('keydown', onKey)
  })
}

const views: [string, string][] = [['organizations', 'Organizations'], ['people', 'People'], ['instances', 'Instances']]

function View({ route: [view, first, second] }: { route: string[] }) {
  if (view === 'people') return first && second ? <PersonView key={first + second} instance={first} id={second} /> : <PeopleView />
  if (view === 'instances') return <InstancesView />
  return first ? <OrganizationView key={first} name={first} tab={second ?? ''} /> : <Organizations />
}

/** Whether what is shown is what is there now: never said of what only was. */
function Liveness({ state, problem }: { state?: State, problem?: string }) {
  const [look, text] = problem || (state?.stale ?? []).length > 0 ? ['bad', 'Not live']
    : !state ? ['', '…'] : state.late ? ['late', 'Partly late'] : ['good', 'Live']
  return <span class={`live ${look}`}>{text}</span>
}

function App() {
  const { state, problem } = useConnection()
  const route = useRoute()
  const view = views.some(([name]) => name === route[0]) ? route[0] : 'organizations'
  useKeys(route)
  useEffect(() => { document.title = `${[route[1], views.find(([name]) => name === view)?.[1]].filter(Boolean).join(' · ')} · kubectl clerk` }, [route])
  useEffect(() => {
    if (route[1]) document.querySelector<HTMLElement>('main h1')?.focus({ preventScroll: true })
  }, [route[0], route[1]])
  return (
    <>
      <header class="top">
        <a class="brand" href="#/organizations"><img src="./icon.svg" alt="" width="24" height="24" /><span>kubectl clerk</span></a>
        <nav aria-label="Views">
          {views.map(([name, title]) => <a key={name} href={`#/${name}`} aria-current={view === name ? 'page' : undefined}>{title}</a>)}
        </nav>
        <p class="where" role="status">
          {state?.context && <span class="context">{state.context}</span>}
          <Liveness state={state} problem={problem} />
        </p>
      </header>
      <div class="notes">
        {problem && <p class="problem" role="alert">{problem}</p>}
        {!problem && (state?.stale ?? []).map(text => <p class="problem" role="alert" key={text}>{text}</p>)}
        {(state?.notes ?? []).map(note => <p class="note" key={note}>{note}</p>)}
        {(state?.loading ?? []).length > 0 && <p class="note">Still being listed: {state!.loading!.join(', ')}</p>}
      </div>
      <main><View route={[view, ...route.slice(1)]} /></main>
    </>
  )
}

takeToken()
addEventListener('hashchange', () => {
  if (location.hash.startsWith('#token=')) {
    takeToken()
    location.reload()
  }
})
void hear()
render(<App />, document.getElementById('app')!)
