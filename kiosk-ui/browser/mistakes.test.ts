import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest';
import { Officer } from './officer.ts';
import { put } from './post.ts';

// What tired officers do, and what small screens show of it: nothing typed is
// lost, and what went wrong stands where the officer looks.

const post = inject('post');
let o: Officer;

beforeEach(async () => {
  o = await Officer.open(post);
  await o.signIn();
});
afterEach(async (t) => {
  await o.failed(t.task);
  await o.close();
});

const inView = (selector: string): Promise<boolean> =>
  o.page.locator(selector).first().evaluate((e) => {
    const r = e.getBoundingClientRect();
    return r.top >= 0 && r.bottom <= innerHeight && r.left >= 0 && r.right <= innerWidth;
  });

/**
 * lose takes the session away. What the page reads by itself waits from then on until somebody has signed in again: the
 * officer's act is to meet the end, not one of those. A route would let past what has just been sent.
 */
async function lose(): Promise<void> {
  await o.page.evaluate(async () => {
    const ask = window.fetch.bind(window);
    window.fetch = async (input, init) => {
      const reads = (init?.method ?? 'GET') === 'GET';
      let response = await ask(input, init);
      while (reads && response.status === 401) {
        await new Promise((resolve) => setTimeout(resolve, 100));
        response = await ask(input, init);
      }
      return response;
    };
    await ask('/v1/system'); // what was sent before has gone out
  });
  await o.context.clearCookies();
}

/** signInAgain is at the dialog of a session that is over. */
async function signInAgain(): Promise<void> {
  await o.page.getByRole('heading', { name: 'Your session has ended' }).waitFor();
  await o.page.getByLabel('Password').fill(post.password);
  await o.page.keyboard.press('Enter');
  await o.page.getByRole('heading', { name: 'Your session has ended' }).waitFor({ state: 'detached' });
}

test('a key that is held acts once', async () => {
  await o.ready();
  await o.page.getByLabel('Without papers').check();
  await o.page.getByLabel('Has a passport').check();
  await o.page.keyboard.down('F2');
  await o.page.getByRole('heading', { name: 'Face', exact: true }).waitFor();
  await o.page.keyboard.down('F2'); // repeats while it is down: would read a chip by no fields
  expect(await o.page.getByLabel('Document number').getAttribute('aria-invalid')).toBe('false');
  await o.page.keyboard.up('F2');
  await o.page.keyboard.press('F2');
  expect(await o.page.getByLabel('Document number').getAttribute('aria-invalid')).toBe('true');
  await o.abandon();
});

test('a session that ends while a reason is typed: the reason is kept, and what was not done is said', async () => {
  await o.begin(true);
  await o.page.getByRole('button', { name: 'Go on without the document' }).click();
  await o.page.locator('#skip-reason').fill('left at the hotel');
  await lose();
  await o.page.keyboard.press('Enter');
  await signInAgain();
  expect(await o.page.locator('#skip-reason').inputValue()).toBe('left at the hotel');
  expect(await o.page.getByRole('dialog').locator('[data-code="session.missing"]').innerText()).toContain('Not done');
  await o.page.getByRole('dialog').getByRole('button', { name: 'Go on without' }).click();
  await o.page.getByText('Reason: left at the hotel').waitFor();

  await o.page.locator('button[data-outcome="abandoned"]').click();
  await o.page.locator('#decide-reason').fill('went away');
  await lose();
  await o.page.keyboard.press('F2');
  await signInAgain();
  expect(await o.page.locator('#decide-reason').inputValue()).toBe('went away');
  await o.page.keyboard.press('F2');
  await o.closed('abandoned');
  await o.next();
});

test('Escape pressed again and again does not take the way back in from who has to sign in', async () => {
  await o.begin(false, 'Adult');
  await o.context.clearCookies();
  await o.page.keyboard.press('F4'); // lost, if a look of the page has met the end before
  const title = o.page.getByRole('heading', { name: 'Your session has ended' });
  await title.waitFor();
  for (let i = 0; i < 6; i++) {
    await o.page.keyboard.press('Escape');
    await title.waitFor();
  }
  expect(await o.page.locator('dialog[open]').count()).toBe(1);
  await signInAgain();
  await o.abandon();
});

test("the browser's Back goes to the start, and the encounter waits there", async () => {
  await o.begin(true);
  await o.page.goBack();
  await o.ready();
  await o.page.getByRole('button', { name: 'Go on' }).click();
  await o.page.getByRole('heading', { name: 'Face', exact: true }).waitFor();
  await o.page.reload();
  await o.page.getByRole('heading', { name: 'Face', exact: true }).waitFor();
  await o.abandon();
});

test('a finding that is refused is told at its candidate, in view, and keeps what was typed', async () => {
  const { mrz = '' } = await put(post, 'b');
  await o.begin(true);
  await o.typeFields(mrz);
  await o.takeFace();
  await o.reviewed();
  const card = o.page.locator('article').first();
  await card.getByLabel('Same person').check();
  await card.getByLabel('What you compared').fill('the left ear');
  await o.page.keyboard.press('F2');
  await card.locator('[data-code="encounter.second_needed"]').waitFor();
  expect(await o.page.locator('[data-code]').count(), 'told once').toBe(1);
  expect(await inView('article [data-code]')).toBe(true);
  expect(await card.getByLabel('What you compared').inputValue()).toBe('the left ear');
  const second = card.getByLabel('Second officer', { exact: true });
  await expect.poll(() => second.evaluate((e) => e === document.activeElement), { message: 'the keyboard is where the second officer signs', timeout: 30_000 }).toBe(true);
  await second.fill(post.officer); // the same person, who is no supervisor
  await card.getByLabel('Password of the second officer').fill(post.password);
  await o.page.keyboard.press('F2');
  await card.locator('[data-code="officer.role"]').waitFor();
  await o.second();
  const change = card.getByRole('button', { name: 'Change the finding' });
  await change.waitFor();
  for (const [width, height] of [[1280, 800], [1024, 768], [390, 844]] as const) {
    await o.page.setViewportSize({ width, height });
    const reason = (await card.getByText('the left ear').boundingBox())!;
    const button = (await change.boundingBox())!;
    expect(reason.width, `the reason at ${width}`).toBeGreaterThan(100);
    expect(reason.x + reason.width <= button.x || reason.y + reason.height <= button.y, `beside or above the button at ${width}`).toBe(true);
  }
  await o.page.setViewportSize({ width: 1280, height: 800 });
  await o.abandon();
});

describe('small and enlarged screens', () => {
  test.each([
    ['a tablet', 1024, 600],
    ['a desk at 200 %', 640, 400],
    ['a desk at 400 %', 320, 256],
  ])('%s: all of it is there without scrolling sideways', async (_, width, height) => {
    await o.ready();
    await o.page.setViewportSize({ width, height });
    await o.look(`small-start-${width}`);
    if (height >= 600) expect(await inView('button.start'), 'the start button').toBe(true);
    const { mrz = '' } = await put(post, 'd');
    await o.begin(true, 'Adult');
    await o.look(`small-collect-${width}`);
    if (height >= 600) expect(await inView('[data-key="F4"]'), 'the button that takes the face').toBe(true);
    await o.typeFields(mrz);
    await o.takeFace();
    await o.reviewed();
    await o.look(`small-verdict-${width}`);
    const cut = await o.page.evaluate(() => [...document.querySelectorAll('button, h1, h2, li')].filter((e) => e.checkVisibility() && e.getBoundingClientRect().right > innerWidth + 1).map((e) => e.textContent));
    expect(cut, 'beyond the edge').toEqual([]);
    await o.abandon();
  });
});

test('what makes answers worse is told before a person stands there, with what to do', async () => {
  await o.ready();
  await o.linkIs('connected'); // no trouble but those below
  const system = (await o.page.evaluate(async () => (await fetch('/v1/system')).json())) as { lists: object[]; devices: { kind: string }[] };
  const states: [string, object][] = [
    ['link.down', { ...system, link: 'down' }],
    ['lists.none', { ...system, lists: [] }],
    ['lists.stale', { ...system, lists: system.lists.map((l) => ({ ...l, stale: true })) }],
    ['clock.back', { ...system, devices: [...system.devices, { id: 'clock', kind: 'other', name: 'Clock (has gone back)', state: 'lost' }] }],
    ['camera.lost', { ...system, devices: system.devices.map((d) => (d.kind === 'camera' ? { ...d, state: 'lost' } : d)) }],
    ['reader.lost', { ...system, devices: system.devices.map((d) => (d.kind === 'reader' ? { ...d, state: 'lost' } : d)) }],
  ];
  for (const [code, json] of states) {
    await o.context.route('**/v1/system', (r) => r.fulfill({ json }));
    await o.page.reload();
    await o.ready();
    expect((await o.problem(code)).split('\n').filter(Boolean).length, 'cause, what to do, code').toBe(3);
    expect(await o.page.locator('[data-code]').count(), 'told once').toBe(1);
    await o.look(`trouble-${code}`);
    await o.context.unroute('**/v1/system');
  }
});

test('Escape in a decision keeps what was written of it, for no other one', async () => {
  await o.begin(true);
  const reason = o.page.locator('#decide-reason');
  await o.page.locator('button[data-outcome="abandoned"]').click();
  await reason.fill('went away to fetch a child');
  await o.page.keyboard.press('Escape');
  await reason.waitFor({ state: 'hidden' });
  await o.page.locator('button[data-outcome="abandoned"]').click();
  expect(await reason.inputValue()).toBe('went away to fetch a child');
  await o.page.keyboard.press('Escape');
  await o.page.locator('button[data-outcome="evacuated"]').click();
  expect(await reason.inputValue()).toBe('');
  await o.page.keyboard.press('Escape');
  await o.abandon();
});
