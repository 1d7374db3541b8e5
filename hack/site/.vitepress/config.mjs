import { renderMermaidSVG } from 'beautiful-mermaid'
import { groups, repository, staged } from '../pages.mjs'

/** The anchor that GitHub gives a heading: links work on both. */
const slugify = heading => heading.toLowerCase().trim().replace(/[^\p{L}\p{N}\p{M} _-]/gu, '').replace(/ /g, '-')

const link = path => '/' + staged(path).replace(/(index)?\.md$/, '')

/** Pictures are drawn while the site is built: nothing is loaded from elsewhere, and they work without JavaScript. */
function mermaid(md) {
  const fence = md.renderer.rules.fence
  md.renderer.rules.fence = (tokens, i, ...rest) => {
    if (tokens[i].info.trim() === 'promql') tokens[i].info = 'txt' // a language that the highlighter does not know
    if (tokens[i].info.trim() !== 'mermaid') return fence(tokens, i, ...rest)
    const svg = renderMermaidSVG(tokens[i].content, {
      bg: 'var(--vp-c-bg)', fg: 'var(--vp-c-text-1)', accent: 'var(--vp-c-brand-1)', transparent: true,
    })
    // Its style is in theme/style.css: a style element would hold for the whole page, Vue takes none, and this one loads a font.
    return `<figure class="picture" v-pre>${svg.replace(/<style>[\s\S]*?<\/style>/, '')}</figure>`
  }
}

export default {
  title: 'clerk-operator',
  description: 'A Kubernetes cluster that agrees with Clerk about organizations and their members.',
  srcDir: '.site',
  outDir: '../../bin/site',
  cacheDir: './node_modules/.cache',
  base: process.env.SITE_BASE ?? '/',
  cleanUrls: true,
  lastUpdated: false,
  ignoreDeadLinks: false,
  markdown: { anchor: { slugify }, config: mermaid },
  themeConfig: {
    search: { provider: 'local' },
    outline: [2, 3],
    socialLinks: [{ icon: 'github', link: repository }],
    nav: [
      { text: 'Tutorial', link: '/docs/tutorials/laptop' },
      { text: 'Install', link: '/docs/install' },
      { text: 'Examples', link: '/examples/' },
      { text: 'API', link: '/docs/api' },
    ],
    sidebar: groups.map(([text, pages]) => ({ text, items: pages.map(([path, name]) => ({ text: name, link: link(path) })) })),
    footer: { message: 'Apache License 2.0', copyright: 'The clerk-operator Authors' },
  },
}
