import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest';
import { Officer } from './officer.ts';
import { put } from './post.ts';

// An encounter with the keyboard alone: nothing here points at anything. Where
// the focus stands is always to be seen, and Tab reaches all that can be done.

const post = inject('post');
let officer: Officer;

beforeAll(async () => {
  officer = await Officer.open(post);
});
afterEach((t) => officer.failed(t.task));
afterAll(() => officer.close());

const press = (key: string): Promise<void> => officer.page.keyboard.press(key);
const type = (text: string): Promise<void> => officer.page.keyboard.type(text);

/** focused is the name of what has the focus, and whether that is to be seen. */
function focused(): Promise<{ name: string; ringed: boolean }> {
  return officer.page.evaluate(() => {
    const e = document.activeElement;
    if (!e || e === document.body) return { name: '', ringed: false };
    const labelled = e instanceof HTMLInputElement || e instanceof HTMLSelectElement || e instanceof HTMLTextAreaElement ? (e.labels?.[0]?.innerText ?? '') : '';
    const at = e.closest('label') ?? e; // a choice shows the ring on the whole label
    const ringed = [e, at].some((x) => {
      const s = getComputedStyle(x);
      return s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2;
    });
    return { name: labelled || e.getAttribute('aria-label') || (e as HTMLElement).innerText || e.id, ringed };
  });
}

/** tabTo presses Tab until the focus is on what has that name. */
async function tabTo(name: string | RegExp): Promise<void> {
  const passed: string[] = [];
  for (let i = 0; i < 60; i++) {
    const at = await focused();
    if (typeof name === 'string' ? at.name.startsWith(name) : name.test(at.name)) {
      expect(at.ringed, `the focus on ${at.name} is to be seen`).toBe(true);
      return;
    }
    passed.push(at.name);
    await press('Tab');
  }
  throw new Error(`Tab never reached ${String(name)}: ${passed.join(' | ')}`);
}

/** allReached presses Tab through the screen: everything that can be used gets the focus once, and shows it. */
async function allReached(screen: string): Promise<void> {
  const seen = new Set<string>();
  for (let i = 0; i < 80; i++) {
    await press('Tab');
    const id = await officer.page.evaluate(() => {
      const e = document.activeElement as HTMLElement | null;
      if (!e || e === document.body) return '';
      e.dataset['reached'] ??= String(document.querySelectorAll('[data-reached]').length + 1);
      return e.dataset['reached'];
    });
    if (id !== '' && seen.has(id)) break;
    seen.add(id);
    if (id !== '') expect((await focused()).ringed, `${screen}: focus on ${(await focused()).name}`).toBe(true);
  }
  const missed = await officer.page.evaluate(() => {
    const scope = [...document.querySelectorAll('dialog[open]')].at(-1) ?? document;
    return [...scope.querySelectorAll<HTMLElement>('button:not(:disabled), input, select, textarea, summary, a[href]')]
      .filter((e) => e.checkVisibility() && e.dataset['reached'] === undefined)
      // Of radio buttons of one name Tab reaches one, arrows the others.
      .filter((e) => !(e instanceof HTMLInputElement && e.type === 'radio' && document.querySelector(`input[name="${e.name}"][data-reached]`)))
      .map((e) => e.innerText || e.id || e.tagName);
  });
  expect(missed, `never reached on ${screen}`).toEqual([]);
  await officer.page.evaluate(() => document.querySelectorAll<HTMLElement>('[data-reached]').forEach((e) => delete e.dataset['reached']));
}

test('sign in', async () => {
  expect((await focused()).name, 'the first field has the focus').toBe('Officer');
  await allReached('sign-in');
  await tabTo('Officer');
  await type(post.officer);
  await press('Tab');
  await type(post.password);
  await press('Enter');
  await officer.ready();
});

test('begin', async () => {
  await put(post, 'a');
  await officer.page.getByLabel('Take fingerprints as well').waitFor(); // the devices have come
  await allReached('start');
  await tabTo(/^(Adult|Minor|Not known)$/);
  for (let i = 0; i < 3 && (await focused()).name !== 'Adult'; i++) await press('ArrowRight');
  expect(await officer.page.locator('input[name="age"]:checked').inputValue()).toBe('adult');
  await press('F2');
  await officer.page.getByRole('heading', { name: 'Face', exact: true }).waitFor();
});

test('read the document, take the face', async () => {
  const { mrz = '' } = await put(post, 'a');
  const [number = '', birth = '', expiry = ''] = mrz.split(',');
  await allReached('capture');
  await tabTo('Document number');
  await type(number);
  await press('Tab');
  await type(birth);
  await press('Tab');
  await type(expiry);
  await press('Enter');
  await press('F4');
  expect((await officer.reviewed()).tone).toBe('go');
});

test('read the verdict and every check, decide', async () => {
  expect((await officer.page.evaluate(() => document.activeElement?.id)) ?? '', 'speech and keyboard start at the verdict').toBe('main');
  await allReached('verdict');
  await press('F7');
  await officer.page.locator('tr[data-check="sod.signature"]').waitFor();
  await allReached('checks');
  await tabTo('Refuse');
  await press('Enter');
  await officer.page.getByRole('dialog').waitFor();
  await allReached('decision');
  await press('Escape');
  await officer.page.getByRole('dialog').waitFor({ state: 'hidden' });
  expect((await focused()).name, 'the focus goes back to where it was').toContain('Refuse');
  await press('F8');
  await press('F2');
  await officer.closed('admitted');
  expect((await focused()).name, 'one key leads to the next person').toMatch(/^Next person/);
  await press('Enter');
  await officer.ready();
});

test('account and sign out', async () => {
  await tabTo('Demonstration Officer');
  await press('Enter');
  await officer.page.getByRole('dialog').locator('[data-passkey]').or(officer.page.getByText('None yet.')).first().waitFor(); // the list has come
  await allReached('account');
  await press('Escape');
  await tabTo('Sign out');
  await press('Enter');
  await officer.page.getByRole('heading', { name: 'Sign in' }).waitFor();
});
