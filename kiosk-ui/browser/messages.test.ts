import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest';
import type { Candidate, Check, Encounter } from '../src/api/words.ts';
import en from '../src/texts/en.json';
import { Officer } from './officer.ts';
import { put } from './post.ts';

// What the page says that no error code stands for: every headline of a verdict, of a real encounter whose checks
// are changed on their way to the page; a camera that is gone; a post that does not answer.

const post = inject('post');
const texts = en as Readonly<Record<string, string>>;
let officer: Officer;
let tell: (event: object) => void = () => undefined;
let break_: () => void = () => undefined;

beforeAll(async () => {
  officer = await Officer.open(post);
  await officer.page.routeWebSocket(/\/v1\/events/, (socket) => {
    const server = socket.connectToServer();
    let seq = 1;
    server.onMessage((m) => {
      seq = (JSON.parse(String(m)) as { seq: number }).seq;
      socket.send(m);
    });
    tell = (event) => socket.send(JSON.stringify({ seq, time: new Date().toISOString(), ...event }));
    break_ = () => void socket.close({ code: 1001 });
  });
  await officer.signIn();
  await officer.ready();
});
afterEach((t) => officer.failed(t.task));
afterAll(() => officer.close());

/** withCheck gives an encounter one check that came out otherwise, and an advice that refers for it. */
function withCheck(e: Encounter, code: string, result: Check['result']): Encounter {
  const check: Check = { code, result, reason: '', clause: '' };
  const checks = [...(e.inspection?.checks ?? []).filter((c) => c.code !== code), check];
  return {
    ...e,
    ...(e.inspection && { inspection: { ...e.inspection, checks } }),
    advice: { clear: false, reasons: [{ source: 'check', code, result, reason: '', clause: '', severity: 'refer' }] } as NonNullable<Encounter['advice']>,
  };
}

/** withLive gives an encounter a live check that came out so, and an advice that refers for it. */
function withLive(e: Encounter, result: Check['result'], reason: string): Encounter {
  const check: Check = { code: 'presentation.attack', result, reason, clause: '' };
  return { ...withCheck(e, check.code, result), inspection: e.inspection, presentation: { display: 'officer', tries: 1, of: 2, check } } as Encounter;
}

const candidate: Candidate = {
  source: 'central', list: 'national', record: 'N-17', edition: 1, owner: 'Ministry', legal_basis: 'Act', purpose: 'border_check', handling: 'detain', confirm: true,
  scores: [{ modality: 'face', value: 0.97, fmr: 1e-6, explain: 'cosine 0.970' }], alarm: true, finding: 'unknown',
};

/** cases say for each headline of a verdict an encounter that has it. */
const cases: Readonly<Record<string, (e: Encounter) => Encounter>> = {
  clear: (e) => e,
  refer: (e) => ({ ...e, advice: { clear: false, reasons: [] } }),
  'document.stop': (e) => withCheck(e, 'ds.country', 'fail'),
  'dg2.hash.fail': (e) => withCheck(e, 'dg2.hash', 'fail'),
  'dg1.hash.fail': (e) => withCheck(e, 'dg1.hash', 'fail'),
  'sod.signature.fail': (e) => withCheck(e, 'sod.signature', 'fail'),
  'ds.chain.fail': (e) => withCheck(e, 'ds.chain', 'fail'),
  'ds.revocation.fail': (e) => withCheck(e, 'ds.revocation', 'fail'),
  'ds.chain.not-assessable': (e) => withCheck(e, 'ds.chain', 'not-assessable'),
  'document.look': (e) => withCheck(e, 'sod.format', 'not-assessable'),
  'document.skipped': (e) => {
    const { inspection: _, comparison: __, ...rest } = e;
    return { ...rest, steps: (e.steps ?? []).map((s) => (s.name === 'document' ? { ...s, state: 'skipped', code: 'left at home' } : s)), advice: { clear: false, reasons: [] } };
  },
  'chip.stop': (e) => withCheck(e, 'chip.authentication', 'fail'),
  'chip.look': (e) => withCheck(e, 'chip.authentication', 'not-assessable'),
  'holder.stop': (e) => withCheck(e, 'portrait.match', 'fail'),
  'holder.look': (e) => withCheck(e, 'portrait.match', 'not-assessable'),
  'live.stop': (e) => withLive(e, 'fail', 'flat'),
  'live.look': (e) => withLive(e, 'not-assessable', 'few_frames'),
  'dates.stop': (e) => withCheck(e, 'mrz.match', 'fail'),
  'document.expiry.fail': (e) => withCheck(e, 'document.expiry', 'fail'),
  'dates.look': (e) => withCheck(e, 'mrz.match', 'not-assessable'),
  'lists.stop': (e) => ({ ...e, answer: 'candidates', candidates: [candidate], advice: { clear: false, reasons: [] } }),
  'lists.same': (e) => ({ ...e, answer: 'candidates', candidates: [{ ...candidate, finding: 'same_person' }], advice: { clear: false, reasons: [] } }),
  'lists.look': (e) => ({ ...e, answer: 'not-verified', missing: ['central: source.deadline'], advice: { clear: false, reasons: [] } }),
};

test('every headline is shown, with what to do', async () => {
  const { page } = officer;
  const headlines = Object.keys(texts).filter((k) => k.startsWith('headline.') && !k.endsWith('.next')).map((k) => k.slice('headline.'.length)).filter((k) => k !== 'collecting' && k !== 'screening');
  expect(Object.keys(cases).sort(), 'a case for each').toEqual(headlines.sort());

  const { mrz = '' } = await put(post, 'a');
  const opened = page.waitForResponse((r) => r.request().method() === 'POST' && r.url().endsWith('/v1/encounters'));
  await officer.begin(true);
  const { id } = (await (await opened).json()) as Encounter;
  await officer.typeFields(mrz);
  await officer.takeFace();
  await officer.reviewed();
  await page.waitForFunction((title) => document.querySelector('main header[data-tone] h1')?.textContent === title, texts['headline.clear']);

  const real = (await page.evaluate(async (id) => (await fetch(`/v1/encounters/${id}`)).json(), id)) as Encounter;
  let shown = real;
  const at = new RegExp(`/v1/encounters/${id}$`);
  await page.route(at, (route) => (route.request().method() === 'GET' ? route.fulfill({ json: shown }) : route.continue()));
  for (const [name, made] of Object.entries(cases)) {
    shown = made(structuredClone(real));
    tell({ encounter: id, kind: 'candidate.adjudicated' }); // without data: the page reads the encounter again
    // Two headlines may have one title: what to do tells them apart.
    const header = page
      .locator('main header[data-tone]')
      .filter({ has: page.getByRole('heading', { level: 1, name: texts[`headline.${name}`] ?? '', exact: true }) })
      .filter({ hasText: texts[`headline.${name}.next`] ?? name });
    await header.waitFor();
    if (/stop|fail/.test(name)) expect(await header.getAttribute('data-tone'), name).toBe('stop');
    if (name.endsWith('.stop')) await officer.look(`headline-${name}`); // one of each question
  }
  console.info(`headlines seen on the page: ${Object.keys(cases).length} of ${headlines.length}`);
  await page.unroute(at);
  tell({ encounter: id, kind: 'candidate.adjudicated' });
  await page.getByRole('heading', { level: 1, name: texts['headline.clear'] ?? '', exact: true }).waitFor();
  await officer.abandon();
});

test('a camera that is gone, and its picture again', async () => {
  const { page } = officer;
  let gone = true;
  let back: () => void = () => undefined;
  await page.routeWebSocket(/\/v1\/preview/, (socket) => {
    if (!gone) {
      socket.connectToServer();
      return;
    }
    const nothing = Buffer.alloc(16);
    nothing.writeBigUInt64BE(BigInt(Date.now()) * 1000n, 0);
    nothing.writeUInt32BE(4, 12); // no camera
    socket.send(nothing);
    gone = false;
    back = () => void socket.close({ code: 1001 });
  });
  await put(post, 'f');
  await officer.begin(false, 'Adult');
  const coach = page.locator('[data-coach="lost"]');
  await coach.waitFor();
  expect(await coach.innerText()).toContain(texts['face.lost']);
  expect(await coach.innerText()).toContain(texts['face.lost.says']);
  await officer.look('camera-lost');
  back();
  await page.locator('[data-coach="ready"]').waitFor();
  await officer.abandon();
});

test('a picture that is still being decoded when its stream breaks is not called live', async () => {
  const { page } = officer;
  const large = await page.evaluate(async () => {
    const c = new OffscreenCanvas(4000, 3000); // takes longer than the news that the stream is over
    c.getContext('2d')?.fillRect(0, 0, 4000, 3000);
    return [...new Uint8Array(await (await c.convertToBlob({ type: 'image/jpeg' })).arrayBuffer())];
  });
  const frame = Buffer.alloc(16);
  frame.writeBigUInt64BE(BigInt(Date.now()) * 1000n, 0);
  frame.writeUInt32BE(1, 12); // good
  let streams = 0;
  let goOn: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (goOn = resolve));
  await page.routeWebSocket(/\/v1\/preview/, async (socket) => {
    if (streams++ === 0) {
      socket.send(Buffer.concat([frame, Buffer.from(large)]));
      void socket.close({ code: 1001 });
      return;
    }
    await held; // not connected until then
    socket.connectToServer();
  });
  await officer.begin(false, 'Adult');
  await page.locator('canvas[width="4000"]').waitFor(); // it is drawn
  await expect.poll(() => streams, { timeout: 30_000 }).toBe(2); // and the end of its stream has come
  expect(await page.locator('[data-coach]').getAttribute('data-coach')).toBe('lost');
  goOn();
  await page.locator('[data-coach="ready"]').waitFor();
  await officer.abandon();
});

test('a post that does not answer is said, and it goes on by itself', async () => {
  const { page } = officer;
  await page.route('**/v1/**', (route) => route.abort());
  break_();
  await page.mouse.click(2, 2);
  const told = page.locator('header li').filter({ has: page.getByRole('alert').filter({ hasText: texts['post.unreachable'] ?? '' }) });
  await told.waitFor({ timeout: 60_000 });
  expect(await told.getAttribute('title')).toBe(texts['post.unreachable.says']);
  await officer.look('post-unreachable');
  await page.unroute('**/v1/**');
  await page.mouse.click(2, 2); // somebody is still there: the page asks again
  await told.waitFor({ state: 'hidden', timeout: 60_000 });
});
