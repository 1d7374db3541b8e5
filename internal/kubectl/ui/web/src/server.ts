// What the page asks its server. The token comes behind the # of the address, which is sent to nobody, and stays in this tab.
import { useEffect, useRef, useState } from 'preact/hooks'
import type { State } from './types'

const tokenKey = 'token'

/** Takes the token out of the address, so that nobody reads it off the screen or copies it with a link. */
export function takeToken() {
  const found = /^#token=([A-Za-z0-9]+)$/.exec(location.hash)
  if (!found) return
  sessionStorage.setItem(tokenKey, found[1])
  history.replaceState(null, '', location.pathname + '#/organizations')
}

const ask = (path: string, signal?: AbortSignal) => fetch(path, {
  headers: { Authorization: `Bearer ${sessionStorage.getItem(tokenKey) ?? ''}` }, signal, cache: 'no-store', redirect: 'error',
})

async function message(response: Response): Promise<string> {
  try {
    return (await response.json()).message
  } catch {
    return `The server answers ${response.status}.`
  }
}

/** What is known of the server: connected, or why not. */
export type Connection = { state?: State, problem?: string, tick: number, offset: number }

let connection: Connection = { tick: 0, offset: 0 }
const listeners = new Set<(connection: Connection) => void>()

function tell(next: Partial<Connection>) {
  connection = { ...connection, ...next }
  for (const listener of listeners) listener(connection)
}

export function useConnection(): Connection {
  const [known, setKnown] = useState(connection)
  useEffect(() => {
    setKnown(connection)
    listeners.add(setKnown)
    return () => { listeners.delete(setKnown) }
  }, [])
  return known
}

/** How long to wait before another attempt, in milliseconds. */
const retryAfter = 2000

/** Hears of changes for as long as the page is open. */
export async function hear() {
  for (;;) {
    try {
      const response = await ask('/api/changes')
      if (!response.ok || !response.body) {
        tell({ problem: await message(response) })
      } else {
        await read(response.body)
        tell({ problem: 'The command has ended: start kubectl clerk ui again.' })
      }
    } catch {
      tell({ problem: 'The command has ended: start kubectl clerk ui again.' })
    }
    await new Promise(resolve => setTimeout(resolve, retryAfter))
  }
}

/** How long the server may be silent, in milliseconds: it says every ten seconds that it is there. */
const silence = 30_000

/** Reads Server-Sent Events until the server ends or falls silent; EventSource cannot send a token. */
async function read(body: ReadableStream<Uint8Array>) {
  const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader()
  let text = ''
  for (;;) {
    const timer = setTimeout(() => void reader.cancel(), silence)
    const { done, value } = await reader.read()
    clearTimeout(timer)
    if (done) return
    text += value
    const events = text.split('\n\n')
    text = events.pop() ?? ''
    const last = events.filter(event => event.startsWith('data: ')).pop()
    if (!last) continue
    const state = JSON.parse(last.slice('data: '.length)) as State
    tell({ state, problem: undefined, tick: connection.tick + 1, offset: Date.parse(state.now) - Date.now() })
  }
}

/** An answer, its error, or neither while it is waited for. */
export type Answer<T> = { path: string, data?: T, error?: string }

/** Asks for an answer, and again whenever something has changed: one question at a time, and no more often than the server can answer. */
export function useAnswer<T>(path: string): Answer<T> {
  const { tick } = useConnection()
  const [answer, setAnswer] = useState<Answer<T>>({ path })
  const asking = useRef({ path: '', busy: false, again: false, wait: 0 })
  useEffect(() => {
    const now = asking.current
    if (now.path === path && now.busy) {
      now.again = true
      return
    }
    const mine = { path, busy: true, again: false, wait: 0 }
    asking.current = mine
    const run = async () => {
      const begun = performance.now()
      let next: Answer<T>
      try {
        const response = await ask(path)
        next = response.ok ? { path, data: await response.json() } : { path, error: await message(response) }
      } catch {
        next = { path, error: 'The command does not answer.' }
      }
      if (asking.current !== mine) return
      setAnswer(before => next.error && before.path === path && before.data ? { ...before, error: next.error } : next)
      mine.wait = 2 * (performance.now() - begun)
      if (mine.again) {
        mine.again = false
        setTimeout(() => { if (asking.current === mine) void run() }, mine.wait)
        return
      }
      mine.busy = false
    }
    void run()
  }, [path, tick])
  useEffect(() => () => { asking.current = { path: '', busy: false, again: false, wait: 0 } }, [])
  return answer.path === path ? answer : { path }
}
