// The page is three files with fixed names, so that a build changes what the sources change, and nothing else.
import { readFileSync } from 'node:fs'
import { defineConfig } from 'vite'

const preact = readFileSync(new URL('node_modules/preact/LICENSE', import.meta.url), 'utf8')

export default defineConfig({
  base: './',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: process.env.PAGE_OUT ?? '../assets',
    emptyOutDir: true,
    modulePreload: false,
    target: 'es2023',
    assetsInlineLimit: 0,
    rollupOptions: {
      output: {
        entryFileNames: 'page.js',
        assetFileNames: 'page.[ext]',
        postBanner: `/*! Preact ${preact.trim()} */`,
      },
    },
  },
})
