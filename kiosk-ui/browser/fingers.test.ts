import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest';
import type { Locator } from 'playwright-core';
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
afterEach((t) => officer.failed(t.task));
afterAll(() => officer.close());

const finger = (position: number, state: string): Locator => officer.page.locator(`button[data-finger="${position}"][data-state="${state}"]`);

/** begin opens an encounter that takes fingers. */
async function begin(): Promise<void> {
  await put(post, 'i');
  await officer.page.getByLabel('Take fingerprints as well').check();
  await officer.begin(false, 'Adult');
  await finger(2, 'open').waitFor();
}

/** take presses F5 once it is for what is named. */
async function take(name: string): Promise<void> {
  await officer.page.locator('button[data-key="F5"]:enabled').filter({ hasText: name }).waitFor();
  await officer.page.keyboard.press('F5');
}

test('i: two fingers are taken, others are not given, the candidate is shown with its minutiae joined', async () => {
  const { page } = officer;
  await begin();
  await officer.look('i-fingers');
  for (const [position, name] of [[2, 'Right hand, index finger'], [7, 'Left hand, index finger']] as const) {
    await finger(position, 'open').click(); // the post would ask for the hand first
    await take(name);
    await finger(position, 'taken').waitFor();
  }
  await finger(5, 'open').click();
  await page.getByRole('combobox', { name: 'Not given because' }).selectOption('bandaged');
  await finger(5, 'excepted').waitFor();
  expect(await finger(5, 'excepted').innerText()).toMatch(/band\u00ad?aged/);
  await officer.look('i-taken');
  await officer.press('F6');
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
  await card.and(page.locator('[data-finding="different_person"]')).waitFor();
  await officer.abandon();
});

test('i: a hand lies on the scanner, first without one finger; the other is bandaged', async () => {
  const { page } = officer;
  await begin();
  const says = page.locator('section:has(#fingers-title) [role="status"]');
  await take('Right hand, four fingers');
  await says.filter({ hasText: 'A finger is lacking.' }).waitFor();
  expect(await says.innerText()).toContain('note a finger that cannot be given');
  expect(await says.innerText()).toContain('Try 1 of 3');
  for (const position of [2, 3, 4, 5]) expect(await finger(position, 'open').count(), `finger ${position}`).toBe(1);
  await officer.look('i-hand-lacking');
  expect(await says.innerText(), 'no quality of what was not taken').not.toContain('quality');
  const pressed = (): Promise<string[]> => page.locator('[data-finger][aria-pressed="true"]').evaluateAll((all) => all.map((e) => (e as HTMLElement).dataset['finger'] ?? ''));
  expect(await pressed(), 'the fingers that are asked for').toEqual(['2', '3', '4', '5']);
  await finger(9, 'open').click();
  expect(await pressed(), 'the one that was pressed').toEqual(['9']);
  expect(await page.getByRole('combobox', { name: 'Left hand, ring finger: not given because' }).count(), 'what a reason is for').toBe(1);
  await finger(9, 'open').click();
  expect(await pressed(), 'pressed again: the hand as before').toEqual(['2', '3', '4', '5']);
  for (const width of [1280, 1024, 390]) {
    await page.setViewportSize({ width, height: 800 });
    const cut = await page.locator('[data-finger]').evaluateAll((all) => {
      const at = all.map((e) => e.getBoundingClientRect());
      const edge = all[0]?.closest('section')?.getBoundingClientRect().right ?? 0;
      return at.filter((a, i) => a.right > edge || at.some((b, j) => i < j && a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom)).length;
    });
    expect(cut, `fingers that overlap or leave their panel at ${width}`).toBe(0);
  }
  await page.setViewportSize({ width: 1280, height: 800 });
  await take('Right hand, four fingers');
  for (const position of [2, 3, 4, 5]) await finger(position, 'taken').waitFor();
  await page.locator('button[data-key="F5"]:enabled').filter({ hasText: 'Left hand, four fingers' }).waitFor();
  await page.getByRole('combobox', { name: 'Not given because' }).selectOption('bandaged');
  for (const position of [7, 8, 9, 10]) await finger(position, 'excepted').waitFor();
  expect(await finger(8, 'excepted').innerText()).toMatch(/band\u00ad?aged/);
  await page.locator('button[data-key="F5"]:enabled').filter({ hasText: 'Both thumbs' }).waitFor();
  await officer.look('i-hand');
  await officer.press('F6');
  await officer.takeFace();
  expect((await officer.reviewed()).tone).toBe('stop');
  const card = page.locator('article[data-record="DEMO-0002"]');
  await page.waitForFunction((img) => (img as HTMLImageElement).naturalWidth > 300, await card.locator('figure.joined img').elementHandle());
  await card.getByLabel('Different person').check();
  await card.getByLabel('What you compared').fill('Compared the minutiae');
  await page.keyboard.press('F2');
  await card.and(page.locator('[data-finding="different_person"]')).waitFor();
  await officer.abandon();
});
