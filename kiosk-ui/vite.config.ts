import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';
import en from './src/texts/en.json' with { type: 'json' };
import { pack } from './src/texts/pack.ts';

const packed = '\0texts';
/** texts puts the packed table in place of en.json. */
const texts = {
  name: 'texts',
  apply: 'build' as const,
  enforce: 'pre' as const,
  resolveId: (source: string, importer: string | undefined) => (source === './en.json' && importer?.endsWith('/texts/texts.ts') ? packed : undefined),
  load: (id: string) => (id === packed ? `import { unpack } from '/src/texts/pack.ts';\nexport default unpack(${JSON.stringify(pack(en))});` : undefined),
};

// What Svelte can do and this page does not: take over markup of a server, run code of version 4, trace. Its switches
// are variables that nothing here sets; as constants, the code behind them falls away. Renamed switches fail the build.
const switches: Readonly<Record<string, readonly string[]>> = {
  '/svelte/src/internal/flags/index.js': ['async_mode_flag', 'legacy_mode_flag', 'tracing_mode_flag'],
  '/svelte/src/internal/client/dom/hydration.js': ['hydrating'],
};
const off = {
  name: 'off',
  apply: 'build' as const,
  transform: (code: string, id: string) => {
    const names = Object.entries(switches).find(([file]) => id.endsWith(file))?.[1];
    return names?.reduce((out, name) => {
      if (!out.includes(`export let ${name} = false;`)) throw new Error(`Svelte has no switch ${name} any more`);
      return out.replace(`export let ${name} = false;`, `export const ${name} = false;`).replace(new RegExp(`\\t${name} = \\w+;`, 'g'), '');
    }, code);
  },
};

// The page is served by the post itself from the embedded dist folder. Nothing
// is loaded from elsewhere and nothing is inlined, so that the post's content
// security policy can forbid both.
export default defineConfig({
  // Short class names: every page has them twice, in its script and in its styles.
  plugins: [texts, off, svelte({ compilerOptions: { cssHash: ({ hash, css }) => `s${hash(css).slice(0, 3)}`, discloseVersion: false } })],
  build: {
    target: 'chrome120',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
    rolldownOptions: { checks: { pluginTimings: false } },
  },
  test: { include: ['tests/**/*.test.ts'] },
});
