// Copies the pages into .site, which VitePress builds, and makes their links ones of the site: to another page, or to the repository for
// whatever is no page. A link that leads nowhere ends it. `node stage.mjs llms` writes llms.txt instead.
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { llms, paths, repository, root, staged } from './pages.mjs'

const site = join(root, 'hack', 'site', '.site')

/** The target of a link on a page, as the site has it. */
function target(page, link) {
  if (/^[a-z]+:|^#/.test(link)) return link
  const [file, anchor] = link.split('#')
  const path = normalize(join(dirname(page), file)).replace(/\/$/, '')
  if (!existsSync(join(root, path))) throw new Error(`${page}: the link ${link} leads nowhere`)
  const suffix = anchor ? `#${anchor}` : ''
  const isFolder = statSync(join(root, path)).isDirectory()
  const found = isFolder ? join(path, 'README.md') : path
  if (paths.includes(found)) {
    const to = relative(dirname(staged(page)), staged(found))
    return (to.startsWith('.') ? to : `./${to}`) + suffix
  }
  const kind = isFolder ? 'tree' : path.endsWith('.png') ? 'raw' : 'blob'
  return `${repository}/${kind}/main/${path}${suffix}`
}

/** A page with the links of the site. What stands in code is left alone. */
function rewritten(page, text) {
  return text.split(/(^ *```[\s\S]*?^ *```|`[^`\n]*`)/m)
    .map((part, i) => i % 2 ? part : part.replace(/\]\(([^()\s]+)\)/g, (_, link) => `](${target(page, link)})`))
    .join('')
}

if (process.argv[2] === 'llms') {
  writeFileSync(join(root, 'llms.txt'), llms())
} else {
  if (readFileSync(join(root, 'llms.txt'), 'utf8') !== llms()) {
    throw new Error('llms.txt is not current: run node hack/site/stage.mjs llms')
  }
  rmSync(site, { recursive: true, force: true })
  for (const page of paths) {
    const to = join(site, staged(page))
    mkdirSync(dirname(to), { recursive: true })
    writeFileSync(to, rewritten(page, readFileSync(join(root, page), 'utf8')))
  }
  mkdirSync(join(site, 'public'), { recursive: true })
  writeFileSync(join(site, 'public', 'llms.txt'), llms())
}
