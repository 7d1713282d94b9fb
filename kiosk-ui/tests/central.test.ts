import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import en from '../central/src/en.json';

// The texts of central's page: each key that is named exists and is used, and
// what central can say has words.

const root = new URL('../..', import.meta.url).pathname;
const keys = new Set(Object.keys(en));
const read = (dir: string, ending: RegExp): string[] =>
  readdirSync(join(root, dir), { recursive: true, encoding: 'utf8' })
    .filter((f) => ending.test(f))
    .map((f) => readFileSync(join(root, dir, f), 'utf8'));
const sources = read('kiosk-ui/central/src', /\.(svelte|ts)$/);
const go = (dir: string): string[] => read(dir, /^(?!.*_test\.go$).*\.go$/);

test('keys that the page names exist, and no text lies about unread', () => {
  const all = sources.join('\n');
  const named = [...all.matchAll(/'([a-z]+(?:\.[a-z_]+)+)'/g)].map((m) => m[1] ?? '').filter((k) => !k.endsWith('.ts') && !/^(proposal|order)\.form$/.test(k) && k !== 'internal.unknown');
  expect(named.length).toBeGreaterThan(100);
  expect(named.filter((k) => !keys.has(k))).toEqual([]);
  const prefixes = [...all.matchAll(/`([a-z]+\.)\$\{/g)].map((m) => m[1] ?? '');
  expect(prefixes.length).toBeGreaterThan(8);
  expect([...keys].filter((k) => !all.includes(`'${k}'`) && !all.includes(`"${k}"`) && !prefixes.some((p) => k.startsWith(p)))).toEqual([]);
});

test('every trouble of a post, and every role, has words', () => {
  const troubles = go('sdk/central/admin').flatMap((s) => [...s.matchAll(/trouble\w+ += "([a-z_.]+)"/g)].map((m) => m[1] ?? ''));
  expect(troubles.length).toBeGreaterThan(5);
  expect([...troubles, 'post.counter', 'link.missing', 'link.expired', 'audit.head_late', 'audit'].filter((c) => !keys.has(`trouble.${c}`))).toEqual([]);
  const roles = go('sdk/central/store').flatMap((s) => [...s.matchAll(/Role\w+ +Role += "([a-z]+)"/g)].map((m) => m[1] ?? ''));
  expect(roles.length).toBe(3);
  expect(roles.filter((r) => !keys.has(`role.${r}`))).toEqual([]);
});

test('every error of the page has words for people', () => {
  const codes = go('sdk/central/admin').flatMap((s) => [...s.matchAll(/(?:Code: |fault\.(?:New|Wrap)\()"([a-z_]+\.[a-z_]+)"/g)].map((m) => m[1] ?? ''));
  const approvals = go('sdk/central/store').flatMap((s) => [...s.matchAll(/Code: "(approve\.[a-z_]+)"/g)].map((m) => m[1] ?? ''));
  expect(codes.length).toBeGreaterThan(12);
  expect(approvals.length).toBeGreaterThan(3);
  const dumb = [...codes, ...approvals].filter((c) => !keys.has(`error.${c}`) && !keys.has(`error.${c.split('.')[0] ?? ''}`) && c !== 'page.read');
  expect(dumb).toEqual([]);
});

test('what stands in the history has words', () => {
  const kinds = ['order', 'enrolment', 'list'].flatMap((k) => ['proposed', 'approved', 'withdrawn'].map((w) => `${k}.${w}`));
  const noted = [...go('sdk/central/store'), ...go('sdk/central/admin')].flatMap((s) => [...s.matchAll(/(?:chronicle\(ctx, tx|Note\([\w.()]+), [\w.()"]+, "([a-z_.]+)"/g)].map((m) => m[1] ?? ''));
  expect(noted.length).toBeGreaterThan(4);
  expect([...kinds, ...noted].filter((w) => !keys.has(`event.${w}`))).toEqual([]);
});
