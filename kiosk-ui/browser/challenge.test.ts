import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest';
import { Officer } from './officer.ts';
import { put } from './post.ts';

// The signs of a challenge against presentation attacks. The bench's policy asks for none, so its answers and events
// are given the step on their way; what is shown is the page's own.

const post = inject('post');
let officer: Officer;
let tell: (event: object) => void = () => undefined;

interface Encounter {
  id: string;
  steps: object[];
}
let stepState: object = { name: 'presentation', state: 'pending', tries: 0 };
let facts: object = { display: 'officer', tries: 0, of: 2, check: { code: 'presentation.attack', result: 'not-performed', reason: 'not_done', clause: 'ISO/IEC 30107-3:2023' } };
const faceTaken = (s: object): object => ((s as { name: string }).name === 'face' ? { ...s, state: 'done' } : s); // the step before
const withStep = (e: Encounter): Encounter & { presentation: object } => ({ ...e, steps: [...e.steps.filter((s) => (s as { name: string }).name !== 'presentation').map(faceTaken), stepState], presentation: facts });

const give = (): Promise<void> => officer.page.evaluate(([step, facts]) => void Object.assign(window, { step, facts }), [stepState, facts]);

beforeAll(async () => {
  officer = await Officer.open(post);
  const { page } = officer;
  await page.routeWebSocket(/\/v1\/events/, (ws) => {
    const server = ws.connectToServer();
    let seq = 0;
    server.onMessage((m) => {
      const event = JSON.parse(String(m)) as { seq: number; kind: string; encounter?: string; data?: Partial<Encounter> };
      seq = event.seq;
      if (event.data?.steps) event.data = withStep(event.data as Encounter);
      ws.send(JSON.stringify(event));
    });
    tell = (event) => ws.send(JSON.stringify({ seq, time: new Date().toISOString(), ...event }));
  });
  // In the page, as the browser alone trusts the bench's certificate.
  await page.evaluate(() => {
    const given = window as unknown as { step: object; facts: object; challenges: number };
    Object.assign(given, { step: { name: 'presentation', state: 'pending', tries: 0 }, challenges: 0 });
    const real = window.fetch.bind(window);
    window.fetch = async (input, init) => {
      const url = String(input instanceof Request ? input.url : input);
      const asked = /\/v1\/encounters(\/[^/]+(\/challenge)?)?$/.exec(url);
      if (!asked) return real(input, init);
      if (asked[2]) {
        given.challenges++;
        given.step = { name: 'presentation', state: 'running', tries: given.challenges };
      }
      const response = asked[2] ? await real(url.slice(0, -'/challenge'.length)) : await real(input, init);
      const body = (await response.json()) as { steps?: object[] };
      return Response.json(body.steps ? { ...body, steps: [...body.steps.map((s) => ((s as { name: string }).name === 'face' ? { ...s, state: 'done' } : s)), given.step], presentation: given.facts } : body, { status: response.status });
    };
  });
  await give();
  await officer.signIn();
  await officer.ready();
});
afterEach((t) => officer.failed(t.task));
afterAll(() => officer.close());

test('the signs stand large, in their order, sides as the officer sees them; what came of it is said', async () => {
  await put(post, 'f');
  const { page } = officer;
  const answer = page.waitForResponse((r) => r.request().method() === 'POST' && r.url().endsWith('/v1/encounters'));
  await officer.begin(false, 'Adult');
  const { id } = (await (await answer).json()) as Encounter;
  await page.getByRole('heading', { name: 'Live check' }).waitFor();
  await page.getByText('say it aloud').waitFor();
  await officer.look('live-check');

  await page.evaluate(() => {
    const signs: string[] = [];
    Object.assign(window, { signs });
    new MutationObserver(() => {
      const sign = document.querySelector<HTMLElement>('[data-cue]');
      const now = sign ? `${sign.dataset['shown'] ?? ''} ${sign.dataset['cue'] ?? ''}: ${sign.innerText.replace(/\s+/g, ' ').trim()}` : 'none';
      if (signs.at(-1) !== now) signs.push(now);
    }).observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true });
  });
  await page.keyboard.press('F7');
  await page.getByRole('progressbar', { name: 'Live check' }).waitFor();
  const cues = ['ahead', 'turn_left', 'turn_right', 'eyes_shut', 'eyes_open'];
  tell({ encounter: id, kind: 'challenge.drawn', data: { kind: 'turn', steps: cues.map((cue) => ({ cue, millis: 400 })), lead_ms: 500, display: 'officer', try: 1, of: 2 } });
  await page.waitForFunction(() => (window as unknown as { signs: string[] }).signs.some((s) => s.startsWith('5')));
  await page.locator('[data-cue]').waitFor({ state: 'detached' });
  const signs = await page.evaluate(() => (window as unknown as { signs: string[] }).signs.filter((s) => s !== 'none'));
  expect(signs).toEqual([
    '0 ready: Get ready',
    '1 ahead: Look straight ahead',
    '2 turn_left: →Turn your head to your left',
    '3 turn_right: ←Turn your head to your right',
    '4 eyes_shut: Shut your eyes until you hear “open”',
    '5 eyes_open: Say aloud: open your eyes',
  ]);
  expect(await page.evaluate(() => (window as unknown as { challenges: number }).challenges)).toBe(1);

  facts = { ...facts, tries: 1, kind: 'turn', check: { code: 'presentation.attack', result: 'not-assessable', reason: 'simulated', clause: 'ISO/IEC 30107-3:2023' } };
  stepState = { name: 'presentation', state: 'done', tries: 1 };
  await give();
  tell({ encounter: id, kind: 'presentation.judged', data: facts });
  tell({ encounter: id, kind: 'step.changed', data: stepState });
  const said = page.locator('[data-live="not-assessable"]');
  await said.waitFor();
  expect(await said.innerText()).toMatch(/undetermined.*not tested on real attacks/);
  await officer.abandon();
});
