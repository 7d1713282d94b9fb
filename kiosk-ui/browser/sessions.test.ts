import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';
import type { Request } from 'playwright-core';
import { Officer } from './officer.ts';
import { put } from './post.ts';

// Sessions, windows and officers beside each other. The post's clock runs as it
// does; only the page's is put forward, as if nobody had been there.

const post = inject('post');
let officer: Officer;

beforeAll(async () => {
  officer = await Officer.open(post);
  await officer.signIn();
  await officer.ready();
});
afterEach((t) => officer.failed(t.task));
afterAll(() => officer.close());

const ending = 'Your session is about to end';

describe('a session that nobody uses', () => {
  let away: Officer;
  const asked = new Set<Request>();
  let looks = 0;

  /** quiet waits until no call is under way: its answer would count from the moment to which the clock is put. */
  async function quiet(): Promise<void> {
    await expect.poll(() => (looks < 2 ? 'the events are not followed' : [...asked].map((r) => r.url())), { timeout: 60_000 }).toEqual([]);
    await away.page.evaluate(async () => (await fetch('/icon.svg')).blob()); // and the page has taken in what came before
  }

  test('warns two minutes before its end', async () => {
    await put(post, 'f');
    const page = await officer.context.newPage();
    await page.clock.install();
    away = officer.on(page);
    page.on('request', (r) => {
      if (r.url().includes('/v1/')) asked.add(r);
      if (r.url().endsWith('/v1/system')) looks++; // the first of signing in, the second of the events
    });
    page.on('requestfinished', (r) => asked.delete(r));
    page.on('requestfailed', (r) => asked.delete(r));
    await page.goto(post.url);
    await away.begin(false, 'Adult');
    await quiet();
    await page.clock.fastForward('27:00');
    await page.getByRole('alertdialog').waitFor({ state: 'detached' });
    await page.clock.fastForward('01:20');
    await page.getByRole('alertdialog', { name: ending }).waitFor();
    expect(await page.getByRole('timer').innerText()).toMatch(/1:[0-4]\d/);
    await away.look('session-ending');
  });

  test('is lengthened by one key', async () => {
    await away.page.keyboard.press('F2');
    await away.page.getByRole('alertdialog').waitFor({ state: 'detached' });
    await quiet();
    await away.page.clock.fastForward('27:00');
    expect(await away.page.getByRole('alertdialog').count(), 'the time starts anew').toBe(0);
  });

  test('ends, shows no more of the person, and goes on where it stopped', async () => {
    await away.page.clock.fastForward('04:00');
    const dialog = away.page.getByRole('dialog', { name: 'Your session has ended' });
    await dialog.waitFor();
    expect(await away.page.getByRole('heading', { name: 'Face', exact: true }).isVisible(), 'what was on the page').toBe(false);
    await away.look('session-ended');
    await dialog.getByLabel('Password').fill(post.password);
    await away.page.keyboard.press('Enter');
    await dialog.waitFor({ state: 'hidden' });
    await away.page.getByRole('heading', { name: 'Face', exact: true }).waitFor();
    await away.takeFace();
    await away.reviewed();
  });

  test('is not handed over: another officer who signs in does not see the person', async () => {
    await away.page.clock.fastForward('31:00');
    const dialog = away.page.getByRole('dialog', { name: 'Your session has ended' });
    await dialog.waitFor();
    await away.signIn(undefined, 'colleague');
    await away.ready();
    expect(await away.page.locator('[data-card]').count()).toBe(0);
    await away.page.getByRole('button', { name: 'Sign out' }).click();
    await away.signIn();
    await away.reviewed(); // straight on where the officer was
    await away.abandon();
    await away.page.close();
  });

  test('at the end of the shift says that it cannot be lengthened', async () => {
    const page = await officer.context.newPage();
    await page.addInitScript(() => {
      const ask = window.fetch.bind(window);
      window.fetch = async (input, init) => {
        const response = await ask(input, init);
        if (input !== '/v1/session' || !response.ok) return response;
        const session = (await response.json()) as { server_time: string };
        return Response.json({ ...session, ends: new Date(Date.parse(session.server_time) + 90_000).toISOString() });
      };
    });
    await page.goto(post.url);
    away = officer.on(page);
    await page.getByRole('alertdialog', { name: ending }).waitFor();
    await page.getByText('cannot be lengthened').waitFor();
    await away.look('shift-ending');
    await page.keyboard.press('F2');
    await page.getByRole('alertdialog').waitFor({ state: 'detached' });
    await page.close();
  });
});

test('two windows: both show the same encounter, the second is told, and neither is left behind', async () => {
  await put(post, 'f');
  await officer.page.reload();
  await officer.begin(false, 'Adult');
  const second = officer.on(await officer.context.newPage());
  await second.page.goto(post.url);
  await second.page.getByText('is open in another window').waitFor();
  await second.page.getByRole('heading', { name: 'Face', exact: true }).waitFor();
  await second.look('two-windows');
  expect(await officer.page.getByText('is open in another window').count(), 'the first was there before').toBe(0);
  await officer.page.bringToFront();
  await officer.takeFace();
  expect((await officer.reviewed()).title).toBe((await second.reviewed()).title);
  await second.page.bringToFront();
  await second.decide('admitted');
  await second.closed('admitted');
  await officer.page.bringToFront();
  await officer.closed('admitted');
  await officer.page.locator('section[data-outcome]').filter({ hasText: 'Recorded in another window' }).waitFor();
  expect(await second.page.locator('section[data-outcome]').innerText()).not.toContain('Recorded in another window');
  await officer.look('closed-elsewhere');
  await second.page.close();
  await officer.next();
});

test('two officers: each works on their own person and sees no other', async () => {
  await put(post, 'f');
  const colleague = await Officer.open(post);
  try {
    await colleague.signIn(undefined, 'colleague');
    await officer.begin(false, 'Adult');
    await colleague.begin(false, 'Not known');
    await officer.takeFace();
    await colleague.takeFace();
    expect((await officer.reviewed()).tone).toBe('go');
    expect((await colleague.reviewed()).tone).toBe('look');
    await colleague.decide('referred');
    await colleague.closed('referred');
    await colleague.next();
    expect(await colleague.page.getByText('Open encounters').count(), 'the other officer has one open').toBe(0);
    await officer.decide('admitted');
    await officer.closed('admitted');
    expect(await officer.page.locator('section[data-outcome]').innerText()).toContain(post.officer);
    await officer.next();
  } finally {
    await colleague.close();
  }
});

test('what one officer has left open is not shown to the next, not even until the post has answered', async () => {
  const desk = await Officer.open(post);
  try {
    const { page } = desk;
    await desk.signIn();
    await desk.begin(false, 'Adult');
    await page.getByRole('button', { name: 'Back to the start' }).click();
    await page.getByRole('button', { name: 'Go on', exact: true }).waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    let answer: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (answer = resolve));
    await page.route('**/v1/encounters', (r) => held.then(() => r.continue()));
    await desk.signIn(undefined, 'colleague');
    await desk.ready();
    expect(await page.getByText('Open encounters').count()).toBe(0);
    answer();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await desk.signIn();
    await page.getByRole('heading', { name: 'Face', exact: true }).waitFor();
    await desk.abandon();
  } finally {
    await desk.close();
  }
});

test('a supervisor sees who has an encounter open, and takes up none', async () => {
  await officer.begin(false, 'Adult');
  const supervisor = await Officer.open(post);
  try {
    await supervisor.signIn(undefined, 'supervisor');
    await supervisor.page.getByText(`of ${post.officer}`).waitFor();
    await supervisor.look('supervisor');
    await supervisor.page.getByRole('button', { name: 'Count' }).click();
    const row = supervisor.page.locator(`table[data-report="report.by_officer"] tr[data-row="${post.officer}"]`);
    await row.waitFor();
    expect(Number(await row.locator('td').first().innerText()), 'the officer has searched in these tests').toBeGreaterThan(0);
    expect(await supervisor.page.locator('table[data-report="report.by_list"] tr[data-row="demo-persons"]').count()).toBe(1);
    await supervisor.look('supervisor-report');
  } finally {
    await supervisor.close();
  }
  await officer.abandon();
});

test('an answer that was asked for by one officer and comes when another has signed in is not shown', async () => {
  const desk = await Officer.open(post);
  try {
    const { page } = desk;
    await desk.signIn();
    await desk.begin(false, 'Adult');
    await page.evaluate(() => {
      const ask = window.fetch.bind(window);
      window.fetch = async (input, init) => {
        const answer = await ask(input, init);
        if (!String(input).endsWith('/v1/encounters') || (init?.method ?? 'GET') !== 'GET') return answer;
        window.fetch = ask; // only the first is late
        await new Promise<void>((letGo) => Object.assign(window, { letGo }));
        return answer;
      };
    });
    await page.getByRole('button', { name: 'Back to the start' }).click();
    await page.waitForFunction(() => 'letGo' in window);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await desk.signIn(undefined, 'colleague');
    await desk.ready();
    await page.evaluate(async () => {
      (window as unknown as { letGo: () => void }).letGo();
      for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame);
    });
    expect(await page.getByText('Open encounters').count()).toBe(0);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await desk.signIn();
    await page.getByRole('heading', { name: 'Face', exact: true }).waitFor();
    await desk.abandon();
  } finally {
    await desk.close();
  }
});

test('a supervisor looks at kept evidence for a purpose; officers are shown none', async () => {
  await officer.begin(false, 'Adult');
  await officer.takeFace();
  await officer.reviewed();
  await officer.decide('referred');
  await officer.closed('referred');
  await officer.next();
  expect(await officer.page.getByRole('heading', { name: 'Kept evidence' }).count()).toBe(0);
  const supervisor = await Officer.open(post);
  try {
    await supervisor.signIn(undefined, 'supervisor');
    await supervisor.page.getByRole('heading', { name: 'Kept evidence' }).waitFor();
    await supervisor.page.locator('#evidence-purpose option').first().waitFor({ state: 'attached' }); // nothing is listed for no purpose
    await supervisor.page.getByRole('button', { name: 'List', exact: true }).press('Enter');
    const last = supervisor.page.locator('[data-evidence]').last(); // what goes soonest stands first
    await last.waitFor();
    // Three days are 72 h, of which a quick machine may have used no whole second.
    expect(await last.innerText()).toMatch(/Referred: Recorded .* by .*\. Gone in [23] d\./);
    await last.getByRole('button', { name: 'Look' }).press('Enter');
    const shown = supervisor.page.getByRole('group', { name: 'Kept evidence' });
    await shown.waitFor();
    expect(await shown.evaluate((e) => e === document.activeElement), 'the keyboard is where the evidence is').toBe(true);
    const face = shown.getByRole('img').first();
    await face.waitFor();
    expect(await face.evaluate((i: HTMLImageElement) => i.decode().then(() => i.naturalWidth))).toBeGreaterThan(100);
    expect(await shown.innerText(), 'what was decided').toMatch(/^Referred: Recorded .* by /);
    await supervisor.look('supervisor-evidence');
  } finally {
    await supervisor.close();
  }
});
