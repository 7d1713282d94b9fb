import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { tell } from '../src/api/failure.ts';
import type { Candidate } from '../src/api/words.ts';
import en from '../src/texts/en.json';
import { Officer } from './officer.ts';
import { put, takeAway } from './post.ts';

// What goes wrong at a post, and what the officer is told. Everything fails
// for real here but the late hit, which a post without a link cannot have.

const post = inject('post');
const camera = join(dirname(post.state), 'camera');
let officer: Officer;

beforeAll(async () => {
  officer = await Officer.open(post, { width: 1024, height: 768 });
});
afterEach((t) => officer.failed(t.task));
afterAll(() => officer.close());

test('a wrong password, then the right one', async () => {
  await officer.signIn('not the password');
  expect(await officer.problem('officer.refused')).toContain('wrong');
  await officer.look('failure-password');
  await officer.signIn();
  await officer.ready();
  await officer.look('start-1024');
});

test('the keys are listed on F1, and Escape leaves', async () => {
  await officer.page.keyboard.press('F1');
  await officer.page.getByRole('dialog', { name: 'Keyboard' }).waitFor();
  await officer.look('keys');
  await officer.page.keyboard.press('Escape');
  await officer.page.getByRole('dialog').waitFor({ state: 'hidden' });
});

describe('the document', () => {
  test('fields that cannot be are refused before the chip is asked', async () => {
    await put(post, 'a');
    await officer.begin(true);
    await officer.typeFields('UU5494452,571332,351001');
    await officer.page.getByText('The date of birth does not fit').waitFor();
    expect(await officer.page.getByLabel('Date of birth').evaluate((e) => e === document.activeElement), 'focus goes to the field').toBe(true);
    await officer.look('failure-field');
    for (const [typed, told] of [
      ['UU5494452,800101,991332', 'The date of expiry does not fit'],
      ['U*,800101,351001', 'The document number does not fit'],
    ] as const) {
      await officer.typeFields(typed);
      await officer.page.getByText(told).waitFor();
    }
  });

  test('fields of another document: the chip refuses', async () => {
    const { mrz = '' } = await put(post, 'a');
    const [number = '', birth = '', expiry = ''] = mrz.split(',');
    await officer.typeFields([number, birth, expiry.replace(/\d$/, (d) => String((Number(d) + 1) % 10 || 2))].join(','));
    const told = await officer.page.locator('[role=alert][data-code$=".wrong_password"]').innerText();
    expect(told).toContain('data page');
    await officer.look('failure-mrz');
  });

  test('no document on the reader', async () => {
    const { mrz = '' } = await put(post, 'a');
    await takeAway(post);
    await officer.typeFields(mrz);
    // Which of the two it is depends on whether the reader has seen the last one go.
    const told = officer.page.locator('[data-code="card.none"], [data-code="card.removed"]');
    await told.waitFor();
    expect(await told.innerText()).toContain('Lay it on the reader');
    await officer.look('failure-no-card');
  });

  test('lines that are pasted go where they belong', async () => {
    await officer.page.getByLabel('Document number').focus();
    await officer.page.evaluate(() => {
      const data = new DataTransfer();
      data.setData('text', 'P<UTOERIKSSON<<ANNA\nL898902C36UTO');
      document.activeElement?.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }));
    });
    await officer.page.getByLabel('The two or three lines').waitFor();
    await officer.page.keyboard.press('F2');
    await officer.page.getByText('These are not two lines of 44').waitFor();
    await officer.look('failure-lines');
  });

  test('going on without it asks why and is said in the verdict', async () => {
    await officer.page.getByRole('button', { name: 'Go on without the document' }).click();
    await officer.look('skip');
    await officer.page.getByLabel('Why').fill('left at home');
    await officer.page.keyboard.press('Enter');
    await officer.page.getByText('Document not read').first().waitFor();
  });
});

describe('the camera', () => {
  test('sees nothing: coached at once, refused when taken, goes on when it is uncovered', async () => {
    const lit = readdirSync(camera).filter((f) => f.endsWith('.jpg'));
    const black = await officer.page.evaluate(async () => {
      const c = new OffscreenCanvas(640, 480);
      c.getContext('2d')?.fillRect(0, 0, 640, 480);
      return [...new Uint8Array(await (await c.convertToBlob({ type: 'image/jpeg' })).arrayBuffer())];
    });
    writeFileSync(join(camera, 'covered.jpg'), Uint8Array.from(black));
    for (const f of lit) rmSync(join(camera, f));
    await officer.page.locator('[data-coach="black"], [data-coach="dark"], [data-coach="frozen"]').waitFor();
    await officer.takeFace();
    const told = officer.page.locator('[role=alert][data-code^="camera."], [role=alert][data-code^="face."]');
    await told.waitFor();
    expect(await told.innerText()).toMatch(/light|lens|move/i);
    await officer.look('failure-camera');
    await put(post, 'f');
    if (existsSync(join(camera, 'covered.jpg'))) rmSync(join(camera, 'covered.jpg'));
    await officer.page.locator('[data-coach="ready"]').waitFor();
    await officer.takeFace();
    expect((await officer.reviewed()).tone).toBe('look');
    await officer.look('skipped-document');
  });
});

test('a session that ends in mid-encounter: sign in again, nothing is lost', async () => {
  const [cookie] = (await officer.context.cookies(post.url)).filter((c) => c.name.includes('watchpost'));
  if (!cookie) throw new Error('the session is in no cookie');
  await officer.page.evaluate(async () => {
    const { csrf = '' } = (await (await fetch('/v1/session')).json()) as { csrf?: string };
    await fetch('/v1/session', { method: 'DELETE', headers: { 'X-CSRF-Token': csrf } });
  });
  await officer.context.addCookies([cookie]); // the browser does not know that the post has ended it
  await officer.page.getByRole('dialog', { name: 'Your session has ended' }).waitFor();
  await officer.look('session-expired');
  await officer.page.getByRole('dialog').getByLabel('Password').fill(post.password);
  await officer.page.keyboard.press('Enter');
  await officer.page.getByRole('dialog').waitFor({ state: 'hidden' });
  expect((await officer.reviewed()).tone, 'the verdict is still there').toBe('look');
  await officer.abandon();
});

test('another encounter cannot be begun beside an open one; it can be taken up again', async () => {
  await put(post, 'f');
  await officer.begin(false, 'Adult');
  await officer.page.getByRole('button', { name: 'Back to the start' }).click();
  await officer.ready();
  await officer.page.getByRole('button', { name: 'Go on', exact: true }).waitFor();
  await officer.page.keyboard.press('F2');
  expect(await officer.problem('encounter.busy')).toContain('Finish');
  await officer.look('open-encounters');
  await officer.page.getByRole('button', { name: 'Go on', exact: true }).click();
  await officer.abandon();
});

test('a late hit is told loudly until it has been seen', async () => {
  const candidate: Candidate = {
    source: 'central', list: 'national', record: 'N-17', name: 'SAMPLE, LATE', edition: 1, owner: 'Ministry', legal_basis: 'Act', purpose: 'border_check', handling: 'detain', confirm: true,
    scores: [{ modality: 'face', value: 0.97, fmr: 1e-6, explain: 'cosine 0.970' }], alarm: true, finding: 'unknown',
  };
  await officer.page.routeWebSocket(/\/v1\/events/, (socket) => {
    socket.connectToServer();
    socket.send(JSON.stringify({ seq: 1, time: new Date().toISOString(), encounter: 'gone', kind: 'candidate.late', data: { closed: true, opened: '2026-10-05T12:12:00Z', candidate } }));
  });
  await officer.page.reload();
  const alarm = officer.page.getByRole('alert').filter({ hasText: 'Late hit' });
  await alarm.waitFor();
  expect(await alarm.innerText()).toMatch(/on the person who came on 5 Oct 2026[^]*N-17[^]*SAMPLE, LATE[^]*Hold the person/);
  await officer.look('late-hit');
  await officer.page.setViewportSize({ width: 390, height: 844 });
  expect((await alarm.getByText('A list answered').boundingBox())?.width, 'read in words, not in letters').toBeGreaterThan(250);
  await officer.look('late-hit-390');
  await officer.page.setViewportSize({ width: 1024, height: 768 });
  await alarm.getByRole('button', { name: 'I have seen this' }).click();
  await alarm.waitFor({ state: 'hidden' });
});

test('events: a connection that broke goes on where it was, one that fell behind reads the encounter again', async () => {
  const { page } = officer;
  const asked: string[] = [];
  const gets: string[] = [];
  const told: string[] = [];
  let end: (how: { code: number; reason: string }) => void = () => undefined;
  await page.routeWebSocket(/\/v1\/events/, (socket) => {
    asked.push(new URL(socket.url()).search);
    socket.connectToServer().onMessage((m) => {
      socket.send(m);
      told.push((JSON.parse(String(m)) as { kind: string }).kind);
    });
    end = (how) => void socket.close(how);
  });
  page.on('request', (r) => r.method() === 'GET' && /\/v1\/encounters\/[^/]+$/.test(r.url()) && gets.push(r.url()));
  let looks = 0;
  page.on('request', (r) => r.url().endsWith('/v1/system') && looks++);
  page.on('framenavigated', () => (looks = 0)); // those of the page before do not count
  await put(post, 'f');
  await page.reload();
  await expect.poll(() => looks, { message: 'the page follows the events: it has looked once more', timeout: 30_000 }).toBeGreaterThan(1);
  await officer.begin(false, 'Adult');
  await page.locator('[data-coach="ready"]').waitFor();
  await expect.poll(() => told, { message: 'there is an event to go on after', timeout: 30_000 }).toContain('encounter.opened');

  end({ code: 1001, reason: '' });
  await expect.poll(() => asked.length, { timeout: 30_000 }).toBe(2);
  expect(asked[1], 'after the last event that was seen').toMatch(/^\?after=\d+$/);

  const before = gets.length;
  end({ code: 1008, reason: 'events.gone' });
  await expect.poll(() => asked.length, { timeout: 30_000 }).toBe(3);
  expect(asked[2], 'from now on').toBe('');
  await expect.poll(() => gets.length, { timeout: 30_000 }).toBeGreaterThan(before);
  await officer.takeFace();
  expect((await officer.reviewed()).tone, 'events come again').toBe('go');
  await officer.abandon();
});

test('signing out leaves nothing on the screen', async () => {
  await officer.page.getByRole('button', { name: 'Sign out' }).click();
  await officer.page.getByRole('heading', { name: 'Sign in' }).waitFor();
  expect(await officer.page.locator('body').innerText()).not.toContain(post.officer);
});

describe('every message of the catalogue', () => {
  const codes = [
    ...new Set(
      Object.keys(en)
        .filter((k) => k.startsWith('error.') && !k.endsWith('.do'))
        .map((k) => k.slice('error.'.length)),
    ),
  ];

  let desk: Officer;
  beforeEach(async () => {
    desk = await Officer.open(post, { width: 1024, height: 768 });
  });
  afterEach(async (t) => {
    await desk.failed(t.task);
    await desk.close();
  });

  test('is shown with what to do, whole, and passes axe', async () => {
    let code = '';
    await desk.page.route('**/v1/encounters', (route) =>
      route.request().method() === 'POST'
        ? route.fulfill({ status: 409, contentType: 'application/json', body: JSON.stringify({ code, cause: 'a test', text_key: `error.${code}`, retryable: false }) })
        : route.continue(),
    );
    await desk.page.reload(); // a page that is there already may get a call or two past a route that is new
    await desk.signIn();
    await desk.ready();
    const seen: string[] = [];
    for (const key of codes) {
      code = key === 'generic' ? 'novel.failure' : key.includes('.') ? key : `${key}.of_a_new_kind`; // a family's text stands for what is not named
      await desk.page.keyboard.press('F2');
      const shown = await desk.problem(code);
      const told = tell(code);
      expect(shown, code).toContain(told.title);
      expect(shown, code).toContain(told.todo);
      expect(shown, code).toContain(code);
      expect(told.title, code).toBe((en as Record<string, string>)[`error.${key}`]);
      seen.push(told.title);
    }
    console.info(`failure messages seen on the page: ${seen.length} of ${codes.length}`);
    expect(codes.length).toBeGreaterThan(90);
    await desk.look('failure-catalogue');
  });
});
