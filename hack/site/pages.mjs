// Which Markdown files are pages of the site, in which group, and how they are called there. llms.txt lists the same. Pages of docs/ that are
// not listed here are in the site too, in a group of their own.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')

/** Groups of the sidebar: [title, [[path, name, what it is about], …]]. */
const listed = [
  ['Begin', [
    ['README.md', 'Overview', 'what it is for, quickstart with Clerk, kinds, events, guarantees'],
    ['docs/README.md', 'All pages', 'the documentation by what you want to do'],
  ]],
  ['Tutorials', [
    ['docs/tutorials/laptop.md', 'On a laptop', 'no cluster and no Clerk account'],
    ['docs/tutorials/kind.md', 'In kind', 'a real Clerk application and a local cluster'],
    ['docs/tutorials/production.md', 'In production', 'from an empty cluster to one that people work in'],
    ['docs/tutorials/transcripts.md', 'Transcripts', 'what each path of the quickstart prints'],
  ]],
  ['How-to guides', [
    ['docs/install.md', 'Install', 'Helm and kustomize, proxies, OpenShift, upgrade, uninstall, hardening'],
    ['docs/expose.md', 'Expose the endpoint', 'Ingress, Gateway, load balancer, Cloudflare, source addresses'],
    ['docs/oidc.md', 'Let people in', 'kubectl with a Clerk account'],
    ['docs/managed-clusters.md', 'Managed clusters', 'EKS, AKS, GKE; Pinniped, Dex, Teleport'],
    ['docs/how-to/gitops.md', 'Argo CD and Flux', 'install by GitOps, with health checks'],
    ['docs/how-to/external-secrets.md', 'External Secrets', 'the secrets from a secret store'],
    ['docs/how-to/adopt-namespaces.md', 'Adopt namespaces', 'put namespaces that exist under organizations'],
    ['docs/how-to/multi-cluster.md', 'Several clusters', 'one Clerk application, several clusters'],
    ['docs/how-to/velero.md', 'Back up and restore', 'with Velero, without bringing access back'],
    ['docs/how-to/slo.md', 'Service levels', 'objectives and the queries that measure them'],
    ['docs/sinks.md', 'Sinks', 'hand verified events on to a service or a queue'],
    ['docs/database.md', 'A database kept in step', 'tables of organizations, users and memberships in PostgreSQL'],
    ['docs/operations.md', 'Operations', 'flags, rotation, conditions, metrics, backup'],
    ['docs/kubectl.md', 'kubectl clerk', 'who has access, why, and what an edit would do'],
    ['docs/troubleshooting.md', 'Troubleshooting', 'symptom, cause, fix'],
    ['examples/README.md', 'Examples', 'manifests for plans, isolation, previews, GitOps'],
  ]],
  ['Reference', [
    ['docs/api.md', 'API', 'every kind and field'],
    ['charts/clerk-operator/README.md', 'Chart', 'every value of the Helm chart'],
    ['docs/alerts.md', 'Alerts', 'what each means, and its runbook'],
    ['docs/sinks-data.md', 'What leaves by a sink', 'the allow-list by event type'],
    ['docs/supported-versions.md', 'Supported versions', 'of Kubernetes, Helm, Clerk'],
    ['docs/glossary.md', 'Glossary', 'the words of these pages'],
    ['CHANGELOG.md', 'Changelog', 'what changed'],
  ]],
  ['Explanation', [
    ['docs/architecture.md', 'Architecture', 'why it is built like this'],
    ['docs/tenantclass.md', 'TenantClass guide', 'expressions, namespaces, roles, deletion'],
    ['docs/clustergrant.md', 'ClusterGrant guide', 'a ClusterRole in the whole cluster for your staff'],
    ['docs/resync.md', 'Resync', 'webhooks, the API, or both; how a deletion is decided'],
    ['docs/security.md', 'Security', 'threat model, guards, what is kept, limits'],
    ['docs/performance.md', 'Performance', 'what it costs, measured'],
    ['docs/faq.md', 'FAQ', 'questions and answers'],
    ['CONTRIBUTING.md', 'Contributing', 'build, test, rules of the code'],
    ['SECURITY.md', 'Report a vulnerability', 'how'],
  ]],
]

const known = new Set(listed.flatMap(([, pages]) => pages.map(([path]) => path)))

const others = readdirSync(join(root, 'docs'), { recursive: true }).sort()
  .filter(file => file.endsWith('.md')).map(file => `docs/${file}`).filter(path => !known.has(path))
  .map(path => [path, readFileSync(join(root, path), 'utf8').match(/^# (.*)$/m)?.[1] ?? path, ''])

export const groups = others.length > 0 ? [...listed, ['More', others]] : listed

export const repository = 'https://github.com/clerk-operator/clerk-operator'

/** Where a page is in the site's source: a README is the index of its folder. */
export const staged = path => path.replace(/README\.md$/, 'index.md')

export const paths = groups.flatMap(([, pages]) => pages.map(([path]) => path))

/** The text of llms.txt: https://llmstxt.org. */
export function llms() {
  const lines = ['# clerk-operator', '',
    '> A Kubernetes operator: organizations of Clerk become namespaces, their members become subjects of RoleBindings. Driven by webhooks and',
    '> by listing Clerk\'s API; what Clerk says is kept in custom resources, and everything else follows from them.', '']
  for (const [title, pages] of listed) {
    lines.push(`## ${title}`, '')
    for (const [path, name, about] of pages) lines.push(`- [${name}](${repository}/blob/main/${path}): ${about}`)
    lines.push('')
  }
  return lines.join('\n').trimEnd() + '\n'
}
