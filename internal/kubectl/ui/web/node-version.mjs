// Says whether this Node.js is one that Vite runs on, before Vite says so less clearly. Exit code 1, with a sentence, if it is not.
import { readFileSync } from 'node:fs'

const { engines } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'))
const [major, minor] = process.versions.node.split('.').map(Number)

/** A requirement such as "^20.19.0 || >=22.12.0": one of these has to hold. */
const fits = engines.node.split('||').some(range => {
  const [, mark, wantMajor, wantMinor] = /^(\^|>=)(\d+)\.(\d+)\.0$/.exec(range.trim())
  const isNewer = mark === '>=' && major > Number(wantMajor)
  return isNewer || (major === Number(wantMajor) && minor >= Number(wantMinor))
})
if (!fits) {
  console.error(`page: this is Node.js ${process.versions.node}, and Vite needs ${engines.node}: install one of these (https://nodejs.org)`)
  process.exit(1)
}
