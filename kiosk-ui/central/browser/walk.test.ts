import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { Central } from './central.ts';
import { browser, Person } from './person.ts';

// Every screen at every size, and what goes wrong while somebody works: a
// central that is slow or silent, forms that are not complete, wrong passwords.

const screens = [
  ['Posts', 'Posts'],
  ['Signatures', 'What waits for signatures'],
  ['Prepare', 'An order to posts'],
  ['Orders', 'Decided orders'],
  ['Lists', 'Lists in force'],
  ['Search', 'Workers that search at central'],
  ['Backups', 'Backups of central'],
  ['History', 'History'],
] as const;

let central: Central;
let chromium: Browser;
let anna: Person;

beforeAll(async () => {
  central = await Central.start('--shards', '2');
  central.sql(`
    INSERT INTO devices (id, public_key) SELECT p, 'key of ' || p FROM unnest(ARRAY['desk-1', 'gate-7']) p;
    INSERT INTO contacts (device, starts, run, count, version, told, lists) VALUES ('desk-1', 1, '\\x00', 1, '1.1.0', now() + interval '1 hour',
      jsonb_build_array(jsonb_build_object('list', 'national', 'generation', 41, 'issued_ms', extract(epoch FROM now() - interval '3 hours')::bigint * 1000, 'stale', false)));
  `);
  chromium = await browser();
  anna = await Person.open(chromium, central, 'anna');
  await anna.signIn();
  await anna.page.locator('tr[data-post="gate-7"]').waitFor();
});
afterEach(async (t) => anna.failed(t.task.result?.state === 'fail'));
afterAll(async () => {
  await anna.close();
  await chromium.close();
  await central.stop();
});

/** file prepares a lock of a post. */
async function file(post: string, reason: string): Promise<void> {
  await anna.go('Prepare', 'An order to posts');
  await anna.page.getByRole('checkbox', { name: post }).check();
  await anna.page.getByLabel('Reason').first().fill(reason);
  await anna.page.getByRole('button', { name: 'File for signatures' }).first().click();
}

test('an order without posts is refused in words, and what was typed stays', async () => {
  await anna.go('Prepare', 'An order to posts');
  await anna.page.getByLabel('Reason').first().fill('moved to hall C');
  await anna.page.getByRole('button', { name: 'File for signatures' }).first().click();
  expect(await anna.problem('order.form')).toContain('Choose at least one post.');
  expect(await anna.page.locator('[data-code="order.form"]').evaluate((e) => e.getBoundingClientRect().top >= 0 && e.getBoundingClientRect().bottom <= innerHeight), 'in view').toBe(true);
  expect(await anna.page.getByLabel('Reason').first().inputValue()).toBe('moved to hall C');
  await anna.look('prepare-refused');
});

test('an answer that was asked for before a deed and comes after it takes nothing back', async () => {
  const { page } = anna;
  let letGo: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (letGo = resolve));
  let late: Promise<void> = Promise.resolve();
  await new Promise<void>((asked, broken) => {
    void page.route(
      '**/v1/state?idle=1',
      (route) => {
        late = route.fetch().then(async (before) => {
          asked();
          await held;
          await route.fulfill({ response: before });
        }, broken);
      },
      { times: 1 },
    );
  });
  await file('gate-7', 'moved to hall C');
  await anna.said('Filed: gate-7');
  await anna.go('Signatures', 'What waits for signatures');
  await page.getByRole('button', { name: 'Withdraw' }).click();
  const dialog = page.getByRole('dialog', { name: 'Withdraw: Lock gate-7' });
  await dialog.getByLabel('Reason').fill('half of a');
  const arrived = page.waitForResponse('**/v1/state?idle=1');
  letGo();
  await late;
  await (await arrived).finished();
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  expect(await dialog.getByLabel('Reason').inputValue(), 'the dialog, with what was typed').toBe('half of a');
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
});

test('a central that is silent is never shown as in order', async () => {
  const { page } = anna;
  await anna.go('Posts', 'Posts');
  await page.route('**/v1/state?idle=1', (route) => route.abort());
  expect(await anna.problem('network')).toContain('Central does not answer');
  await page.getByRole('heading', { level: 1, name: 'Central does not answer: this is how it stood on' }).waitFor();
  expect(await page.locator('h1 [data-tone]').getAttribute('data-tone')).toBe('look');
  await anna.look('silent');
  await page.unroute('**/v1/state?idle=1');
  await page.getByRole('heading', { level: 1, name: 'posts need attention' }).waitFor();
  expect(await page.locator('[data-code="network"]').count()).toBe(0);
});

test('a shard that nobody holds is told in the first line', async () => {
  expect(await anna.page.locator('.top').getAttribute('data-tone')).toBe('stop');
  await anna.page.getByRole('link', { name: 'Search: 0 of 2 shards held' }).click();
  await expect.poll(() => anna.page.getByText('nobody holds it').count()).toBe(2);
});

test.each([
  ['1280', 1280, 800],
  ['1024', 1024, 768],
  ['zoomed', 640, 400], // 1280x800 at 200 %
  ['390', 390, 800],
] as const)('every screen at %s', async (name, width, height) => {
  await anna.page.setViewportSize({ width, height });
  for (const [view, heading] of screens) {
    await anna.go(view, heading);
    if (view === 'Signatures') await anna.page.getByText('Sign and hand in').click();
    await anna.look(`${name}-${view.toLowerCase()}`);
  }
});

test('five wrong passwords make the sixth try wait, and the page says how long', async () => {
  const dora = await Person.open(chromium, central, 'dora');
  for (let i = 0; i < 5; i++) {
    await dora.signIn('not the password');
    await dora.page.getByRole('button', { name: 'Sign in' }).waitFor();
    await dora.problem('operator.refused');
  }
  await dora.signIn();
  expect(await dora.problem('officer.too_many_tries')).toMatch(/\d+ ?s|second|minute|:/);
  await dora.look('too-many-tries');
  await dora.close();
});
