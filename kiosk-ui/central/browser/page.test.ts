import type { Browser } from 'playwright-core';
import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Central } from './central.ts';
import { browser, Person } from './person.ts';

// Central's page as two operators, an administrator and an auditor use it.

let central: Central;
let chromium: Browser;
let anna: Person;
let boris: Person;

beforeAll(async () => {
  central = await Central.start();
  central.sql(`
    INSERT INTO devices (id, public_key) SELECT p, 'key of ' || p FROM unnest(ARRAY['desk-1', 'desk-2', 'gate-7', 'field-3', 'gate-9']) p;
    INSERT INTO contacts (device, starts, run, count, version, told, lists) SELECT p, 1, '\\x00', 1, '1.1.0', now() + interval '1 hour',
      jsonb_build_array(jsonb_build_object('list', 'national', 'generation', 41, 'issued_ms', extract(epoch FROM now() - interval '3 hours')::bigint * 1000, 'stale', p = 'field-3'))
      FROM unnest(ARRAY['desk-1', 'desk-2', 'gate-7', 'field-3']) p;
    UPDATE contacts SET rolled_back = now() - interval '5 minutes' WHERE device = 'gate-7';
    INSERT INTO audit_heads (device, number, lines, signed, why, head, committed_ms) VALUES ('desk-1', 12, 4031, now(), 'interval', 'head', 0);
    UPDATE contacts SET workplace = 'desk' WHERE device = 'desk-1';
    UPDATE contacts SET audit_number = 12, audit_lines = 4031, audit_sha256 = sha256('head') WHERE device = 'desk-1';
  `);
  chromium = await browser();
  anna = await Person.open(chromium, central, 'anna');
  boris = await Person.open(chromium, central, 'boris');
});
afterEach(async (t) => {
  for (const p of [anna, boris]) await p.failed(t.task.result?.state === 'fail');
});
afterAll(async () => {
  await anna.close();
  await boris.close();
  await chromium.close();
  await central.stop();
});

test('nobody is let in by a wrong password, and the page says so', async () => {
  await anna.look('signin');
  await anna.signIn('not the password');
  expect(await anna.problem('operator.refused')).toContain('Name or password is wrong');
  await anna.look('refused');
});

test('which box is in trouble stands first, in words', async () => {
  await anna.signIn();
  const headline = anna.page.getByRole('heading', { level: 1 });
  await headline.filter({ hasText: '3 of 5 posts need attention, first: gate-7' }).waitFor();
  const rows = await anna.page.locator('tr[data-post]').evaluateAll((all) => all.map((r) => [r.getAttribute('data-post'), r.getAttribute('data-tone')]));
  expect(rows).toEqual([
    ['gate-7', 'stop'],
    ['field-3', 'look'],
    ['gate-9', 'look'],
    ['desk-1', 'go'],
    ['desk-2', 'go'],
  ]);
  const gate = anna.page.locator('tr[data-post="gate-7"]');
  expect(await gate.innerText()).toContain('the same identity spoke twice');
  expect(await anna.page.locator('tr[data-post="field-3"]').innerText()).toContain('older than its owner allows');
  expect(await anna.page.locator('tr[data-post="gate-9"]').innerText()).toContain('never heard of');
  const desk = await anna.page.locator('tr[data-post="desk-1"]').innerText();
  for (const words of ['desk\n', 'in order', 'connected', 'national: no.\u00a041, 3\u00a0h\u00a0old', 'head 12, 4,031 lines', 'agrees with the witness', '1.1.0']) expect(desk).toContain(words);
  await anna.look('posts');
});

test('no state is told by colour alone: each has a symbol of its own and words', async () => {
  const tones = await anna.page.locator('.says').evaluateAll((all) =>
    all.map((e) => ({ tone: e.getAttribute('data-tone') ?? '', shape: e.querySelector('svg')?.innerHTML.replace(/ class="[^"]*"/g, '') ?? '', words: (e.textContent ?? '').trim() })),
  );
  expect(tones.length).toBeGreaterThan(8);
  expect(tones.filter((t) => t.words === '' || t.shape === '')).toEqual([]);
  const shapes = new Map(tones.map((t) => [t.tone, t.shape]));
  expect(new Set(shapes.values()).size, 'a shape for each tone').toBe(shapes.size);
  expect([...shapes.keys()].sort()).toEqual(['go', 'look', 'stop']);
});

test('the list of posts can be narrowed', async () => {
  await anna.page.getByLabel('Find').fill('DESK');
  await expect.poll(() => anna.page.locator('tr[data-post]').count()).toBe(2);
  await anna.page.getByLabel('In trouble only').check();
  await anna.page.getByText('No post fits.').waitFor();
  await anna.page.getByLabel('Find').fill('');
  await expect.poll(() => anna.page.locator('tr[data-post]').count()).toBe(3);
});

describe('an order', () => {
  test('is prepared with the keyboard alone', async () => {
    const { page } = anna;
    await page.getByRole('link', { name: 'Prepare', exact: true }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('radio', { name: 'Lock', exact: true }).focus();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    expect(await page.getByRole('radio', { name: 'Wipe', exact: true }).isChecked()).toBe(true);
    await page.getByRole('checkbox', { name: 'gate-7' }).focus();
    await page.keyboard.press('Space');
    await anna.look('prepare');
    await page.getByLabel('Reason').first().focus();
    await page.keyboard.type('carried away');
    await page.keyboard.press('Enter');
    await anna.said('Filed: gate-7');
  });

  test('is signed on the own machine by the command that the page shows; one is not enough', async () => {
    await anna.go('Signatures', 'What waits for signatures');
    const card = anna.page.locator('[data-proposal]');
    expect(await card.innerText()).toContain('carried away');
    expect(await card.innerText()).toContain('0 of 2 signed');
    await anna.sign('Wipe gate-7');
    await anna.said('Another person has to sign');
    await anna.page.getByText('You have signed. Another person has to.').waitFor();
    await anna.look('queue');
  });

  test('does not take the first signature again from a second person', async () => {
    await boris.signIn();
    await boris.page.getByRole('link', { name: 'Waiting for signatures: 1' }).click();
    const card = boris.page.locator('[data-proposal]').filter({ hasText: 'Wipe gate-7' });
    await card.getByText('Sign and hand in').click();
    const command = await card.locator('[data-command]').innerText();
    expect(command).toMatch(/^watchpost-central proposal sign proposal-[0-9a-f]{8}\.json --by boris --key boris\.pem > signature-[0-9a-f]{8}\.json$/);
    await boris.hand('Wipe gate-7', join(central.machine('anna'), command.split('> ')[1]?.trim() ?? ''));
    expect(await boris.problem('approve.other_person')).toContain('by another person');
    writeFileSync(join(central.machine('boris'), 'none.json'), 'nothing');
    await boris.hand('Wipe gate-7', join(central.machine('boris'), 'none.json'));
    await boris.problem('proposal.form');
    await boris.look('refused-signature');
    await boris.page.reload();
    await boris.page.locator('[data-proposal]').waitFor();
  });

  test('is in force with the second, and what became of it is seen', async () => {
    await boris.sign('Wipe gate-7');
    await boris.said('in force');
    await boris.page.getByText('Nothing waits.').waitFor();
    await boris.go('Orders', 'Decided orders');
    const row = boris.page.locator('tr[data-order="wipe"]');
    expect(await row.innerText()).toContain('anna, boris');
    expect(await row.innerText()).toContain('1 not carried out yet');
    await boris.look('orders');
  });
});

test('a new box is enrolled by two who read its code from it', async () => {
  const { request, code } = central.request('desk-8');
  const { page } = anna;
  await anna.go('Prepare', 'A new post');
  const form = page.locator('form').filter({ hasText: 'A new post' });
  await form.getByLabel('Request').fill(request);
  await form.getByLabel('Code').fill('0000-0000-0000-0000');
  await form.getByLabel('Reason').fill('hall B');
  await form.getByRole('button').click();
  expect(await anna.problem('enrol.code')).toContain('not that of this request');
  await form.getByLabel('Code').fill(code);
  await form.getByRole('button').click();
  await anna.said('Filed: desk-8');
  await anna.go('Signatures', 'What waits for signatures');
  await anna.look('enrolment');
  await anna.sign('Enrol desk-8', code);
  await anna.said('Another person has to sign');
  await boris.page.reload();
  await boris.go('Signatures', 'What waits for signatures');
  await boris.sign('Enrol desk-8', code);
  await boris.said('in force');
  await boris.go('Posts', 'Posts');
  await boris.page.locator('tr[data-post="desk-8"]').waitFor();
});

test('what was prepared is withdrawn with a reason', async () => {
  await anna.go('Prepare', 'An order to posts');
  await anna.page.getByRole('radio', { name: 'Recall a record' }).check();
  await anna.page.getByLabel('List', { exact: true }).fill('national');
  await anna.page.getByLabel('Record', { exact: true }).fill('N-17');
  await anna.page.getByLabel('Reason').first().fill('court order');
  await anna.page.getByRole('button', { name: 'File for signatures' }).first().click();
  await anna.said('Filed: national/N-17');
  await anna.go('Signatures', 'What waits for signatures');
  await anna.page.getByRole('button', { name: 'Withdraw' }).click();
  const dialog = anna.page.getByRole('dialog', { name: 'Withdraw: Recall national/N-17' });
  await dialog.waitFor();
  await anna.look('withdraw');
  await anna.page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  await anna.page.keyboard.press('Enter'); // the focus is back on the button
  await dialog.getByLabel('Reason').fill('wrong record');
  await anna.page.keyboard.press('Enter');
  await anna.said('withdrawn');
});

test('lists, search, backups and history say how they stand', async () => {
  await anna.go('Lists', 'Lists in force');
  expect(await anna.page.locator('tr[data-list="national"]').innerText()).toContain('stale at 1 of 4 posts');
  await anna.look('lists');
  await anna.go('Search', 'Workers that search at central');
  await anna.look('shards');
  await anna.go('Backups', 'Backups of central');
  await anna.page.getByText('No backup was ever written.').waitFor();
  central.command('backup', join(central.machine('anna'), 'today.dump'));
  await anna.page.reload();
  await anna.page.getByText('The last backup is moments old.').waitFor();
  await anna.page.getByRole('cell', { name: 'today.dump' }).waitFor();
  await anna.look('backups');
  await anna.go('History', 'History');
  await anna.page.getByLabel('Of one post, list, record or person only').fill('national');
  await expect.poll(() => anna.page.locator('tbody tr').count()).toBe(2);
  expect(await anna.page.locator('tbody').innerText()).toContain('wrong record');
  await anna.look('history');
});

test('an auditor sees everything and can do nothing; an administrator decides nothing that counts by two', async () => {
  const dora = await Person.open(chromium, central, 'dora');
  await dora.signIn();
  await dora.page.locator('tr[data-post="gate-9"]').waitFor();
  expect(await dora.page.getByText('What can be done').count()).toBe(0);
  expect(await dora.page.getByRole('link', { name: 'Prepare', exact: true }).count()).toBe(0);
  await dora.close();
  const adam = await Person.open(chromium, central, 'adam');
  await adam.signIn();
  const row = adam.page.locator('tr[data-post="gate-9"]');
  await row.getByText('What can be done').click();
  await row.getByRole('button', { name: 'Report missing' }).click();
  await adam.page.getByRole('dialog').getByLabel('Reason').fill('not at its place');
  await adam.page.keyboard.press('Enter');
  await adam.page.locator('tr[data-post="gate-9"]').filter({ hasText: 'Reported missing' }).waitFor();
  await adam.close();
});

test('on a narrow screen nothing is wider than it', async () => {
  await anna.page.setViewportSize({ width: 390, height: 800 });
  await anna.go('Posts', 'Posts');
  await anna.look('narrow');
});

test('who has no rights any more is out at the next look', async () => {
  central.command('operator', 'retire', 'anna');
  await anna.page.getByRole('link', { name: 'History', exact: true }).click();
  await anna.page.getByRole('heading', { name: 'Administration of central' }).waitFor();
});
