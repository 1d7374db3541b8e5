// A list of which only the rows on the screen are in the document: thousands of them stay as smooth as ten. Rows are links, so that Enter,
// a tap and a middle click do what they always do. What has the focus stays in the document, wherever one scrolls.
import { type ComponentChildren } from 'preact'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'

/** How many rows above and below the screen are in the document. */
const overscan = 6

/** A row as it is shown. */
export type Row = {
  key: string, href?: string, content: ComponentChildren, className?: string,
  /** Of a tree: how deep it is, whether it is open, and where it is among those beside it. */
  level?: number, isOpen?: boolean, toggle?: () => void, at?: number, of?: number,
}

type Props = { label: string, rows: Row[], isTree?: boolean, rowHeight: number, empty: ComponentChildren }

/** Which row was the current one, by list: who comes back finds it. */
const remembered = new Map<string, string>()

const isTyping = (target: EventTarget | null) => target instanceof HTMLInputElement

export function Rows({ label, rows, isTree, rowHeight, empty }: Props) {
  const box = useRef<HTMLDivElement>(null)
  const [view, setView] = useState({ top: 0, height: 800 })
  const [key, setKey] = useState(remembered.get(label) ?? '')
  const wantsFocus = useRef(false)
  const current = Math.max(0, rows.findIndex(row => row.key === key))

  const see = () => {
    const { scrollTop = 0, clientHeight = 800 } = box.current ?? {}
    setView(before => before.top === scrollTop && before.height === clientHeight ? before : { top: scrollTop, height: clientHeight })
  }
  useLayoutEffect(() => {
    if (remembered.has(label) && box.current) show(current)
    see()
    const observer = new ResizeObserver(see)
    observer.observe(box.current!)
    return () => observer.disconnect()
  }, [label])
  useLayoutEffect(see, [rows.length, rowHeight])

  function show(index: number) {
    const element = box.current!
    const top = index * rowHeight
    if (top < element.scrollTop) element.scrollTop = top
    else if (top + rowHeight > element.scrollTop + element.clientHeight) element.scrollTop = top + rowHeight - element.clientHeight
  }
  function choose(index: number) {
    if (rows.length === 0) return
    const next = Math.min(Math.max(index, 0), rows.length - 1)
    remembered.set(label, rows[next].key)
    wantsFocus.current = true
    setKey(rows[next].key)
    show(next)
    see()
    focus()
  }
  const focus = () => box.current?.querySelector<HTMLElement>('[tabindex="0"]')
  useLayoutEffect(() => {
    if (!wantsFocus.current) return
    wantsFocus.current = false
    focus()?.focus({ preventScroll: true })
  })

  // Before the next key, not after the next picture: a key must meet the rows as they are.
  useLayoutEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return
      const typing = isTyping(event.target)
      const page = Math.max(1, Math.floor(view.height / rowHeight) - 1)
      const isInside = box.current?.contains(document.activeElement)
      const row = rows[current]
      const moves: Record<string, () => void> = typing ? {
        ArrowDown: () => choose(current),
        Enter: () => { if (row?.href) location.hash = row.href },
      } : {
        j: () => choose(isInside ? current + 1 : current), ArrowDown: () => choose(isInside ? current + 1 : current),
        k: () => choose(current - 1), ArrowUp: () => choose(current - 1),
        Home: () => choose(0), End: () => choose(rows.length - 1),
        PageDown: () => choose(current + page), PageUp: () => choose(current - page),
        ...(isTree && isInside && row && {
          ArrowRight: () => row.isOpen === false ? row.toggle?.() : choose(current + 1),
          ArrowLeft: () => row.isOpen ? row.toggle?.() : choose(rows.findLastIndex((other, i) => i < current && other.level! < row.level!)),
          Enter: () => row.href ? location.hash = row.href : row.toggle?.(),
        }),
      }
      if (!Object.hasOwn(moves, event.key)) return
      event.preventDefault()
      moves[event.key]()
    }
    addEventListener('keydown', onKey)
    return () => removeEventListener('keydown', onKey)
  })

  const first = Math.max(0, Math.floor(view.top / rowHeight) - overscan)
  const last = Math.min(rows.length, Math.ceil((view.top + view.height) / rowHeight) + overscan)
  const shown = rows.slice(first, last).map((row, i) => ({ row, index: first + i }))
  if (rows[current] && (current < first || current >= last)) shown.push({ row: rows[current], index: current })

  const take = (row: Row) => { remembered.set(label, row.key); setKey(row.key) }
  const tree = (row: Row) => isTree ? {
    role: 'treeitem' as const, 'aria-level': row.level, 'aria-expanded': row.isOpen, 'aria-posinset': row.at, 'aria-setsize': row.of,
  } : {}
  const element = (row: Row, index: number) => {
    const common = {
      class: `row ${row.className ?? ''}`, tabIndex: index === current ? 0 : -1, onFocus: () => take(row), ...tree(row),
    }
    return row.href
      ? <a href={row.href} onClick={() => take(row)} {...common}>{row.content}</a>
      : <div onClick={() => { take(row); row.toggle?.() }} {...common}>{row.content}</div>
  }
  const item = (index: number) => isTree ? { role: 'none' as const } : { 'aria-posinset': index + 1, 'aria-setsize': rows.length }
  return (
    <div class="rows" ref={box} onScroll={see}>
      {rows.length === 0 && <p class="empty">{empty}</p>}
      <ul role={isTree ? 'tree' : 'list'} aria-label={label} style={{ height: `${rows.length * rowHeight}px` }}>
        {shown.map(({ row, index }) => (
          <li key={row.key} {...item(index)} style={{ transform: `translateY(${index * rowHeight}px)`, height: `${rowHeight}px` }}>
            {element(row, index)}
          </li>
        ))}
      </ul>
    </div>
  )
}

/** The height of a row: two lines of text on a narrow screen. */
export function useRowHeight(wide: number, narrow: number): number {
  const query = '(max-width: 44rem)'
  const [isNarrow, setNarrow] = useState(() => matchMedia(query).matches)
  useEffect(() => {
    const media = matchMedia(query)
    const onChange = () => setNarrow(media.matches)
    media.addEventListener('change', onChange)
    return () => media.removeEventListener('change', onChange)
  }, [])
  return isNarrow ? narrow : wide
}
