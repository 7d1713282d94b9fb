import { readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest';
import { Officer } from './officer.ts';
import { put } from './post.ts';
import { buildPseudo, close, open, table } from './pseudo.ts';

// The page in a second language (pseudo.ts) against the same post: every word
// on the screen, and every name that is read aloud, comes from the table or
// from the post. Right to left and a third longer, it still fits.

const post = inject('post');
const kinds: Readonly<Record<string, string>> = { '.js': 'text/javascript', '.css': 'text/css' };
let officer: Officer;
const wire = new Set<string>(); // every word of what the post has said, but for its English hints

const blanks = /[\s/,:;()·]+/;

function note(value: unknown): void {
  if (typeof value === 'string') for (const w of value.split(blanks)) wire.add(w);
  else if (typeof value === 'object' && value !== null) for (const [k, v] of Object.entries(value)) if (k !== 'hint' && k !== 'cause') note(v);
}

beforeAll(async () => {
  const dist = await buildPseudo();
  officer = await Officer.open(post);
  // The document itself stays the post's: a made-up one would not be let near the post's sockets.
  await officer.page.route('**/assets/*', (route) => {
    const kind = extname(new URL(route.request().url()).pathname);
    return route.fulfill({ body: readFileSync(join(dist, `page${kind}`)), contentType: kinds[kind] ?? '' });
  });
  officer.page.on('response', (r) => {
    if (r.headers()['content-type']?.includes('json')) void r.json().then(note, () => undefined);
  });
  officer.page.on('websocket', (socket) => socket.on('framereceived', ({ payload }) => {
    if (typeof payload === 'string') note(JSON.parse(payload));
  }));
  await officer.page.goto(post.url);
});
afterEach((t) => officer.failed(t.task));
afterAll(() => officer.close());

/** shown are the texts and spoken names on the screen that did not come from the table. */
async function foreign(name: string): Promise<void> {
  const shown = (): Promise<string[]> => officer.page.evaluate(() => {
    const out: string[] = [];
    const seen = (e: Element): boolean => e.checkVisibility() && !e.closest('[lang]:not(html)') && !e.closest('kbd, script, style');
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let n = walker.nextNode(); n; n = walker.nextNode()) if (n.parentElement && seen(n.parentElement)) out.push(n.textContent ?? '');
    for (const e of document.querySelectorAll('[aria-label], [title], [alt], [placeholder]'))
      if (seen(e)) for (const a of ['aria-label', 'title', 'alt', 'placeholder']) out.push(e.getAttribute(a) ?? '');
    return out;
  });
  const time = /\d+\u200f?\/\d+\u200f?\/\d{4}، \d+:\d\d [صم]/g; // as Intl writes one in the page's language
  const ours = (text: string): boolean => {
    // What is within brackets came from the table; what is left has to be the post's, or have no letters.
    let rest = '';
    let depth = 0;
    for (const c of text.replace(time, '')) {
      if (c === open) depth++;
      else if (c === close) depth--;
      else if (depth === 0) rest += c;
    }
    return rest.split(blanks).every((w) => !/\p{L}/u.test(w) || wire.has(w));
  };
  expect((await shown()).some((t) => t.includes(open)), `${name} is in the second language`).toBe(true);
  // The page may have drawn an answer of the post before it was noted here.
  await expect.poll(async () => (await shown()).filter((t) => !ours(t)), { message: `on ${name}`, timeout: 25_000 }).toEqual([]);
  await officer.look(name);
}

const t = (key: string): string => table[key] ?? `no text ${key}`;
const button = (key: string): ReturnType<Officer['page']['getByRole']> => officer.page.getByRole('button', { name: t(key) });

test('sign-in', async () => {
  await officer.page.getByRole('heading', { name: t('signin.title') }).waitFor();
  expect(await officer.page.evaluate(() => [document.documentElement.lang, document.documentElement.dir])).toEqual([table['language.tag'], 'rtl']);
  await foreign('language-sign-in');
  await officer.page.locator('input[name="username"]').fill(post.officer);
  await officer.page.locator('input[name="password"]').fill('wrong');
  await officer.page.keyboard.press('Enter');
  await officer.problem('officer.refused');
  await foreign('language-refused');
  await officer.page.locator('input[name="password"]').fill(post.password);
  await officer.page.keyboard.press('Enter');
  await officer.page.getByRole('heading', { name: t('start.title') }).waitFor();
  await officer.page.locator('button.start:enabled').waitFor();
});

test('start, keys, account', async () => {
  await foreign('language-start');
  await officer.page.keyboard.press('F1');
  await officer.page.getByRole('dialog').waitFor();
  await foreign('language-keys');
  await officer.page.keyboard.press('Escape');
  await officer.page.locator('header button[aria-haspopup="dialog"]').click();
  await officer.page.getByText(t('account.none')).waitFor();
  await foreign('language-account');
  await officer.page.keyboard.press('Escape');
});

test('a forged passport: capture, verdict, all checks, override, outcome', async () => {
  const { mrz = '' } = await put(post, 'c');
  await officer.page.keyboard.press('F2');
  await officer.page.getByRole('heading', { name: t('face.title') }).waitFor();
  await officer.page.locator('[data-coach="ready"]').waitFor();
  await foreign('language-collect');
  const fields = await officer.page.locator('form input.mono').all();
  for (const [i, value] of mrz.split(',').entries()) await fields[i]?.fill(value);
  await officer.page.keyboard.press('F2');
  await officer.takeFace();
  const { title } = await officer.reviewed();
  expect(title).toBe(t('headline.dg2.hash.fail'));
  await foreign('language-verdict');
  await officer.page.keyboard.press('F7');
  await officer.page.locator('tr[data-check="dg2.hash"]').waitFor();
  await foreign('language-checks');
  await officer.page.locator('button[data-outcome="admitted"]').click();
  await foreign('language-override');
  await officer.page.keyboard.press('Escape');
  await officer.decide('referred');
  await officer.closed('referred');
  await foreign('language-closed');
  await officer.page.keyboard.press('F2');
});

test('a listed person without papers', async () => {
  await put(post, 'b');
  await officer.page.locator('input[name="papers"]').nth(1).check();
  await officer.page.locator('input[name="age"][value="adult"]').check();
  await officer.page.keyboard.press('F2');
  await officer.page.locator('[data-coach="ready"]').waitFor();
  await officer.takeFace();
  await officer.reviewed();
  await officer.page.locator('article[data-record="DEMO-0001"]').waitFor();
  await foreign('language-candidate');
  await officer.decide('abandoned', 'done');
  await officer.closed('abandoned');
  await officer.page.keyboard.press('F2');
  await button('signin.out').click();
});
