import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import en from '../src/texts/en.json';
import { tell } from '../src/api/failure.ts';
import { depths, pack, unpack } from '../src/texts/pack.ts';
import { text, textOf } from '../src/texts/texts.ts';

const root = new URL('../..', import.meta.url).pathname;
const keys = new Set(Object.keys(en));

function files(dir: string, ending: RegExp): string[] {
  return readdirSync(dir).flatMap((name) => {
    const path = join(dir, name);
    if (name === 'node_modules' || name === 'testdata') return [];
    return statSync(path).isDirectory() ? files(path, ending) : ending.test(name) ? [path] : [];
  });
}

const sources = files(join(root, 'kiosk-ui/src'), /\.(svelte|ts)$/).map((f) => readFileSync(f, 'utf8'));
const goSources = (dir: string): string[] => files(join(root, dir), /\.go$/).filter((f) => !f.endsWith('_test.go')).map((f) => readFileSync(f, 'utf8'));

describe('keys', () => {
  test('that the page names exist', () => {
    const named = sources.flatMap((s) => [...s.matchAll(/\b(?:text|textOf)\([^'`\n]*'([a-z]+\.[\w.-]+)'/g)].map((m) => m[1] ?? ''));
    expect(named.length).toBeGreaterThan(100);
    expect(named.filter((k) => !keys.has(k))).toEqual([]);
  });
  test('that are made of a word exist for some word', () => {
    const made = sources.flatMap((s) => [...s.matchAll(/`([a-z]+\.(?:[\w.-]*))\$\{/g)].map((m) => m[1] ?? ''));
    expect(made.length).toBeGreaterThan(10);
    expect(made.filter((prefix) => ![...keys].some((k) => k.startsWith(prefix)))).toEqual([]);
  });
  test('are used: no text lies about unread', () => {
    const all = sources.join('\n');
    const prefixes = [...all.matchAll(/`([a-z]+\.[\w.-]*)\$\{/g)].map((m) => m[1] ?? '');
    const unused = [...keys].filter((k) => !all.includes(`'${k}'`) && !prefixes.some((p) => k.startsWith(p)));
    expect(unused).toEqual([]);
  });
  test('hold the words that are filled in', () => {
    expect(text('late.says', { record: 'R', list: 'L', time: 'T' })).toBe('A list answered after the decision on the person who came on T. Record R of L.');
    expect(textOf(['no.such.key'], 'check.other', { code: 'x' })).toBe('x');
    expect(textOf(['toString'], 'check.other', { code: 'x' }), 'only own keys count').toBe('x');
  });
});

describe('the post', () => {
  test('has no check without a title', () => {
    const codes = goSources('device/document/inspect').flatMap((s) => [...s.matchAll(/Code = "([a-z_]+\.[a-z_]+)"/g)].map((m) => m[1] ?? ''));
    expect(codes.length).toBeGreaterThan(25);
    expect(codes.filter((c) => !keys.has(`check.${c}`))).toEqual([]);
  });

  // What an officer can meet while working: codes of the packages between the page and the devices.
  const packages = ['device/web', 'device/encounter', 'device/officer', 'device/post', 'device/capture', 'device/document/emrtd', 'device/document/mrz', 'device/document/examine', 'device/screening', 'device/uplink'];
  const codes = packages.flatMap(goSources).flatMap((s) => [...s.matchAll(/(?:Code: |fault\.(?:New|Wrap)\(|fault\.Code\()"([a-z_]+\.[a-z_]+)"/g)].map((m) => m[1] ?? ''));

  test('has no error that is told without a cause in words', () => {
    expect(codes.length).toBeGreaterThan(100);
    // Refused at start, inside the post, or at the admin socket: no page tells of them.
    const inside = ['certificate', 'command', 'contract', 'config', 'events', 'feed', 'key', 'lease', 'listfeed', 'models', 'policy', 'provision', 'retention', 'sandbox', 'screening', 'system', 'template', 'usage', 'web'];
    const dumb = [...new Set(codes)].filter((c) => tell(c).title === text('error.generic') && !inside.includes(c.split('.')[0] ?? ''));
    expect(dumb.sort()).toEqual([]);
  });
  test('and whatever it says, the page says what to do', () => {
    for (const c of [...codes, 'novel.failure', '', 'constructor.name']) {
      expect(tell(c).todo, c).not.toBe('');
      expect(tell(c).code).toContain(c);
    }
  });
  test("its own hint stands in for a text that is not there", () => {
    expect(tell('novel.failure', 'turn it off and on')).toMatchObject({ title: text('error.generic'), todo: 'Turn it off and on.' });
    expect(tell('card.none', 'ignored').todo).toBe(text('error.card.none.do'));
  });
  test('has no purpose, age or finding without a word', () => {
    const dir = join(root, 'device/encounter/policy/testdata');
    const policies = readdirSync(dir).filter((f) => f.endsWith('.yaml')).map((f) => join(dir, f));
    const policy = policies.map((f) => readFileSync(f, 'utf8')).join('\n');
    const purposes = [...policy.matchAll(/purposes:\n((?:\s+- \w+\n)+)/g)].flatMap((m) => [...(m[1] ?? '').matchAll(/- (\w+)/g)].map((p) => p[1] ?? ''));
    expect(purposes.length).toBeGreaterThan(0);
    expect(purposes.filter((p) => !keys.has(`purpose.${p}`))).toEqual([]);
  });
});

test('the built page unpacks the texts as they are', () => {
  expect(unpack(pack(en))).toEqual({ ...en });
  const odd = { 'a': '', 'a.b': 'x = y', 'a.b.c d': ' z', 'b.a': '1', 'a.c': '{n}', 'b': '2' };
  expect(unpack(pack(odd))).toEqual(odd);
  expect(Object.entries(en).filter(([k, v]) => k.includes('=') || k.split('.').length >= depths.length || [...depths].some((c) => (k + v).includes(c)))).toEqual([]);
});
