import { svelte } from '@sveltejs/vite-plugin-svelte';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'vite';
import en from '../src/texts/en.json';

// A second language that nobody speaks: every text of the table in brackets,
// with accents, longer by a third, and from right to left. What stands without
// brackets on the page did not come from the table.

export const open = '⟦';
export const close = '⟧';

const accents: Readonly<Record<string, string>> = { a: 'á', e: 'é', i: 'î', o: 'ö', u: 'ü', c: 'ç', n: 'ñ', s: 'š', A: 'Å', E: 'É', I: 'Î', O: 'Ø', S: 'Š' };

/** pseudo turns one text; what is filled in ({name}) stays. */
export function pseudo(text: string): string {
  if (text === '') return '';
  const turned = text.replace(/\{\w+\}|[aeioucnsAEIOS]/g, (m) => accents[m] ?? m);
  return `${open}${turned}${'·'.repeat(Math.ceil(text.length / 3))}${close}`;
}

/** table is the whole language. */
export const table: Readonly<Record<string, string>> = {
  ...Object.fromEntries(Object.entries(en).map(([k, v]) => [k, pseudo(v)])),
  'language.tag': 'ar-u-nu-latn',
  'language.dir': 'rtl',
};

/** buildPseudo builds the page with that table in place of the English one, and returns the folder. */
export async function buildPseudo(): Promise<string> {
  const outDir = mkdtempSync(join(tmpdir(), 'watchpost-pseudo-'));
  await build({
    root: new URL('..', import.meta.url).pathname,
    configFile: false,
    logLevel: 'error',
    plugins: [
      { name: 'pseudo', enforce: 'pre', transform: (_, id) => (id.endsWith('/texts/en.json') ? { code: JSON.stringify(table), map: null } : undefined) },
      svelte(),
    ],
    build: { target: 'chrome120', assetsInlineLimit: 0, modulePreload: { polyfill: false }, outDir, minify: false, rolldownOptions: { output: { entryFileNames: 'page.js', assetFileNames: 'page[extname]' } } },
  });
  return outDir;
}
