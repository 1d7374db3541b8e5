// Small parts that all views share.
import { type ComponentChildren } from 'preact'
import { useConnection } from './server'

/** A number with its word. */
export const counted = (n: number, one: string, many: string) => `${n.toLocaleString('en')} ${n === 1 ? one : many}`

const units: [number, string][] = [[86400, 'd'], [3600, 'h'], [60, 'm'], [1, 's']]

/** How long ago something was: "3m ago". */
export function Ago({ at, none = '' }: { at?: string, none?: string }) {
  const { offset } = useConnection()
  if (!at) return <>{none}</>
  const seconds = Math.max(0, (Date.now() + offset - Date.parse(at)) / 1000)
  const [size, unit] = units.find(([size]) => seconds >= size * (size === 1 ? 0 : 2)) ?? units[3]
  const text = seconds < 1 ? 'just now' : `${Math.floor(seconds / size)}${unit} ago`
  return <time dateTime={at} title={at}>{text}</time>
}

/** Whether something is well: a mark and a word, never a color alone. */
export function State({ isGood, good = 'Ready', bad }: { isGood: boolean, good?: string, bad?: string }) {
  return <span class={`state ${isGood ? 'good' : 'bad'}`}>{isGood ? good : bad || 'Not looked at yet'}</span>
}

export const Chip = ({ children }: { children: ComponentChildren }) => <span class="chip">{children}</span>

/** The field in which one searches; / leads to it. */
export function Search({ value, label, onInput, children }: {
  value: string, label: string, onInput: (value: string) => void, children?: ComponentChildren,
}) {
  return (
    <div class="search">
      <input id="search" type="search" value={value} placeholder={label} aria-label={label} aria-keyshortcuts="/" autoComplete="off"
        spellcheck={false} onInput={event => onInput(event.currentTarget.value)} />
      <kbd aria-hidden="true">/</kbd>
      {children}
    </div>
  )
}

/** What stands where an answer does not yet, or will not. */
export function Waiting({ error }: { error?: string }) {
  return error ? <p class="problem" role="alert">{error}</p> : <p class="empty" role="status">Looking …</p>
}

/** A search by words: all of them have to be in the text. */
export const matches = (words: string[], ...texts: (string | undefined)[]) => {
  const text = texts.join('\n').toLowerCase()
  return words.every(word => text.includes(word))
}

export const wordsOf = (search: string) => search.toLowerCase().split(/\s+/).filter(Boolean)

export const personLink = (instance: string, id: string) => `#/people/${encodeURIComponent(instance)}/${encodeURIComponent(id)}`
export const organizationLink = (name: string) => `#/organizations/${encodeURIComponent(name)}`
