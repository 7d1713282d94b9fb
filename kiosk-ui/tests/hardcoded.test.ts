import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, type AST } from 'svelte/compiler';
import { expect, test } from 'vitest';

// No text of the page stands in its source: each comes from the table by its
// key, so that another language is another table. browser/language.test.ts
// shows the same on the running page.

const roots = ['../src', '../central/src'].map((r) => new URL(r, import.meta.url).pathname);
const files = (ending: string): string[] => roots.flatMap((r) => readdirSync(r, { recursive: true, encoding: 'utf8' }).filter((f) => f.endsWith(ending)).map((f) => join(r, f)));
const spoken = ['alt', 'aria-label', 'aria-description', 'aria-roledescription', 'aria-valuetext', 'label', 'placeholder', 'title'];
const letters = /\p{L}/u;

/** found are the words in a component that no key stands for. */
function found(source: string): string[] {
  const out: string[] = [];
  const walk = (node: unknown, inside: string): void => {
    if (Array.isArray(node)) for (const n of node) walk(n, inside);
    if (typeof node !== 'object' || node === null || !('type' in node)) return;
    const n = node as AST.SvelteNode & { name?: string; value?: unknown };
    if (n.type === 'Text' && inside !== 'kbd' && inside !== '=' && letters.test(n.data)) out.push(n.data.trim());
    if (n.type === 'Attribute') {
      // Of an attribute that is spoken or shown every part has to come from the table; what is {…} does.
      const parts = Array.isArray(n.value) ? n.value : [];
      for (const p of parts) if (p.type === 'Text' && spoken.includes(n.name) && letters.test(p.data)) out.push(`${n.name}=${p.data}`);
      return;
    }
    const name = n.type === 'RegularElement' ? (n.name ?? '') : inside;
    for (const [key, child] of Object.entries(n)) if (typeof child === 'object' && !['css', 'instance', 'module', 'expression', 'context', 'test'].includes(key)) walk(child, name);
  };
  walk(parse(source, { modern: true }).fragment, '');
  // What is written out by a script or within {…}: words with a blank between them are meant for people.
  const { instance } = parse(source, { modern: true });
  const script = instance ? source.slice(instance.start, instance.end).replace(/^\s*import .*$/gm, '').replace(/\/\/.*$/gm, '') : '';
  for (const [, literal = ''] of script.matchAll(/'([^'\n]*)'/g)) if (/\p{L}{2,} \p{L}{2,}/u.test(literal)) out.push(literal);
  return out;
}

test('the scan sees what it is for', () => {
  expect(found('<p>Hello</p>')).toEqual(['Hello']);
  expect(found('<p>{a}: later</p>')).toEqual([': later']);
  expect(found('<img alt="A face" src="x" />')).toEqual(['alt=A face']);
  expect(found('<img alt="of {name}" src="x" />')).toEqual(['alt=of ']);
  expect(found("{#if a}<b>{text('x.y')}</b>{:else}<i>or not</i>{/if}")).toEqual(['or not']);
  expect(found("<script>const a = 'please wait';</script><p>{a}</p>")).toEqual(['please wait']);
  expect(found('<p class="soft">{text(\'x.y\')}<kbd>F2</kbd> · {n}</p><style>p { color: red }</style>')).toEqual([]);
});

test.each(files('.svelte'))('%s holds none', (file) => {
  expect(found(readFileSync(file, 'utf8'))).toEqual([]);
});

test('nor does the script beside them, but for what only engineers read', () => {
  const scripts = files('.ts').filter((f) => !f.endsWith('wire.ts'));
  const spokenOf = (f: string): string[] =>
    [...readFileSync(f, 'utf8').replace(/^import .*$/gm, '').replace(/\/\/.*$/gm, '').replace(/\/\*[\s\S]*?\*\//g, '').replace(/new Error\(.*\)/g, '').matchAll(/'([^'\n]*)'/g)]
      .map((m) => m[1] ?? '')
      .filter((s) => /\p{L}{2,} \p{L}{2,}/u.test(s));
  expect(scripts.flatMap(spokenOf)).toEqual([]);
});
