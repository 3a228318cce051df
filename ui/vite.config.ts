import { readFileSync } from 'node:fs';
import react from '@vitejs/plugin-react';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

/** Shown by the settings page. */
const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
/** Where the development server sends the calls that only a running zipkind can answer. */
const apiBase = process.env.API_BASE ?? 'http://127.0.0.1:9411';

/**
 * Puts the theme script before the first paint: a classic, blocking script of this origin, because the page's policy
 * allows neither inline script nor a module that runs after the first frame.
 */
function themeBoot(): Plugin {
  const source = 'src/theme/boot.js';
  let serving = false;
  return {
    name: 'theme-boot',
    configResolved(config) {
      serving = config.command === 'serve';
    },
    buildStart() {
      if (serving) return;
      const code = readFileSync(source, 'utf8')
        .replace(/^\/\/.*$/gm, '')
        .trim();
      this.emitFile({ type: 'asset', name: 'theme.js', source: `${code}\n` });
    },
    transformIndexHtml: {
      order: 'post',
      handler(html, { bundle }) {
        const built = Object.values(bundle ?? {}).find(
          (file) => file.type === 'asset' && file.names.includes('theme.js'),
        );
        const src = `/zipkin/${serving ? source : built?.fileName}`;
        // After <base>: with another base path the server makes the address relative to it.
        return html.replace('<title>', `<script src="${src}"></script>\n    <title>`);
      },
    },
  };
}

/**
 * Says the order of the layers at the top of every style sheet: with styles split by page, the first one loaded would
 * fix it otherwise, and base rules could win over those of a component.
 */
function layerOrder(): Plugin {
  return {
    name: 'layer-order',
    generateBundle(_options, bundle) {
      for (const file of Object.values(bundle)) {
        if (file.type === 'asset' && file.fileName.endsWith('.css')) {
          file.source = `@layer tokens,base,components;${file.source}`;
        }
      }
    },
  };
}

/** Code of our own, and icons: not the libraries that some pages bring along. */
const ownParts =
  /[\\/](src[\\/](address|api|file|layout|search|settings|theme|widgets)|node_modules[\\/]lucide-react)[\\/]/;
/** The table of results, which comes with a library of its own. */
const tableOfResults = /[\\/]search[\\/]Result/;

/**
 * Few files rather than one for each module that two pages share: every file costs a request and a start of its own
 * before the first page is whole.
 */
const chunkGroups = [
  { name: 'base', tags: ['$initial' as const] },
  { name: 'shared', test: (id: string) => ownParts.test(id) && !tableOfResults.test(id), minShareCount: 2 },
];

export default defineConfig(({ command }) => ({
  base: command === 'serve' ? '/zipkin/' : './',
  define: { __UI_VERSION__: JSON.stringify(version) },
  plugins: [react(), themeBoot(), layerOrder()],
  // The server rewrites attributes that begin with ="/zipkin when another base path is set; chunks find each other
  // relative to themselves.
  experimental: {
    renderBuiltUrl(filename, { hostType }) {
      return hostType === 'html' ? `/zipkin/${filename}` : { relative: true };
    },
  },
  build: {
    target: ['chrome111', 'edge111', 'firefox119', 'safari16.4'],
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 600,
    rolldownOptions: { output: { codeSplitting: { groups: chunkGroups } } },
  },
  worker: { format: 'es' },
  server: { proxy: { '/zipkin/api': apiBase, '/zipkin/config.json': apiBase } },
  test: {
    environment: 'happy-dom',
    environmentOptions: { happyDOM: { url: 'http://localhost/zipkin/' } },
    include: ['src/**/*.test.{ts,tsx}', 'test/**/*.test.{ts,tsx}'],
    setupFiles: ['test/setup.ts'],
    restoreMocks: true,
    // For what never ends: a busy machine is no failure.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
}));
