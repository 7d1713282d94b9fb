import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest';
import { Officer } from './officer.ts';
import { put } from './post.ts';

// A person without papers who is found by two fingers, taken at the page.

const post = inject('post');
let officer: Officer;

beforeAll(async () => {
  officer = await Officer.open(post);
  await officer.signIn();
  await officer.ready();
});
afterEach((t) => officer.failed(t.task.result?.state === 'fail'));
afterAll(() => officer.close());

test('i: two fingers are taken, others are not given, the candidate is shown with its minutiae joined', async () => {
  await put(post, 'i');
  const { page } = officer;
  await page.getByLabel('Take fingerprints as well').check();
  await officer.begin(false, 'Adult');
  const finger = (position: number, state: string): ReturnType<typeof page.locator> => page.locator(`button[data-finger="${position}"][data-state="${state}"]`);
  await finger(2, 'open').waitFor();
  await officer.look('i-fingers');
  for (const [position, name] of [[2, 'Right hand, index finger'], [7, 'Left hand, index finger']] as const) {
    await page.locator('button[data-key="F5"]:enabled').filter({ hasText: name }).waitFor();
    await page.keyboard.press('F5');
    await finger(position, 'taken').waitFor();
  }
  await finger(5, 'open').click();
  await page.getByRole('combobox', { name: 'Not given because' }).selectOption('bandaged');
  await finger(5, 'excepted').waitFor();
  expect(await finger(5, 'excepted').innerText()).toContain('bandaged');
  await officer.look('i-taken');
  await page.keyboard.press('F6');
  await officer.takeFace();
  const verdict = await officer.reviewed();
  expect(verdict.tone).toBe('stop');
  const card = page.locator('article[data-record="DEMO-0002"]');
  const joined = card.locator('figure.joined img');
  await joined.waitFor();
  await page.waitForFunction((img) => (img as HTMLImageElement).naturalWidth > 600, await joined.elementHandle());
  await joined.scrollIntoViewIfNeeded();
  await officer.look('i-candidate');
  await card.getByLabel('Different person').check();
  await card.getByLabel('What you compared').fill('Compared the minutiae');
  await page.keyboard.press('F2');
  await officer.abandon();
});
