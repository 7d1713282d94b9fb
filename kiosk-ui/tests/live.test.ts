import { describe, expect, test } from 'vitest';
import { readFileSync } from 'node:fs';
import { eventKinds, parseEvent, type PostEvent } from '../src/api/events.ts';
import type { Encounter } from '../src/api/words.ts';
import { apply } from '../src/encounter/apply.ts';
import { oneIn } from '../src/encounter/rates.ts';
import { adviceOf, coach, Figures, headerBytes, parseFrame } from '../src/live/frame.ts';

describe('preview', () => {
  function message(state: number, jpeg: number[]): ArrayBuffer {
    const v = new DataView(new ArrayBuffer(headerBytes + jpeg.length));
    v.setBigUint64(0, 1_700_000_000_123_456n);
    v.setUint32(8, 42);
    v.setUint32(12, state);
    jpeg.forEach((b, i) => v.setUint8(headerBytes + i, b));
    return v.buffer;
  }
  test('a message is a time, a sequence, a state and a picture', () => {
    const f = parseFrame(message(1, [0xff, 0xd8]));
    expect(f).toMatchObject({ time: 1_700_000_000_123.456, sequence: 42, state: 'good' });
    expect([...(f?.jpeg ?? [])]).toEqual([0xff, 0xd8]);
  });
  test('states that this page does not know, no picture, too short', () => {
    expect(parseFrame(message(9, []))).toMatchObject({ state: 'unknown' });
    expect(parseFrame(message(4, []))?.jpeg.length).toBe(0);
    expect(parseFrame(new ArrayBuffer(headerBytes - 1))).toBeUndefined();
  });
  test('coaching never says ready of a bad picture', () => {
    expect((['unknown', 'frozen', 'black', 'none', 'good'] as const).map(coach)).toEqual(['wait', 'frozen', 'black', 'lost', 'ready']);
    expect(['{"advice":"closer","measures":[]}', '{"advice":""}', '{}', 'null', '3'].map(adviceOf)).toEqual(['closer', '', '', '', '']);
  });
  test('figures are of the last seconds', () => {
    const f = new Figures(1000);
    expect(f.read(0)).toMatchObject({ fps: 0, p95: 0 });
    for (let t = 0; t <= 5000; t += 40) f.drawn(t, t < 4000 ? 500 : 10);
    expect(f.read(5000).fps).toBeCloseTo(26, 0);
    expect(f.read(5000).p95).toBe(10);
  });
});

describe('events', () => {
  const encounter = { id: 'e', state: 'collecting', steps: [{ name: 'face', state: 'pending', tries: 0 }] } as unknown as Encounter;
  const event = (kind: string, data?: unknown, id = 'e'): PostEvent => ({ seq: 1, time: '', encounter: id, kind, data }) as unknown as PostEvent;

  test('are those of the published schema', () => {
    const schema = JSON.parse(readFileSync(new URL('../../device/encounter/events.schema.json', import.meta.url), 'utf8')) as { properties: { kind: { enum: string[] } } };
    expect([...eventKinds].sort()).toEqual([...schema.properties.kind.enum].sort());
  });
  test('of other encounters and of kinds not known change nothing', () => {
    expect(apply(encounter, event('screening.started', {}, 'other')).encounter).toBe(encounter);
    expect(parseEvent('{"seq":1,"kind":"novel"}')).toBeUndefined();
    expect(parseEvent('null')).toBeUndefined();
  });
  test('without data, or that change more than they carry, ask for a fresh look', () => {
    expect(apply(encounter, event('answer.ready')).stale).toBe(true);
    for (const kind of ['candidate.adjudicated', 'candidate.late', 'encounter.outcome']) expect(apply(encounter, event(kind, [])).stale, kind).toBe(true);
  });
  test('steps, inspection and comparison go where they belong', () => {
    for (const [name, state, stale] of [['face', 'done', true], ['face', 'running', false], ['document', 'done', false]] as const)
      expect(apply(encounter, event('step.changed', { name, state, tries: 1 })).stale, `${name} ${state}: no event tells the quality of the face`).toBe(stale);
    let e = apply(encounter, event('step.changed', { name: 'face', state: 'running', tries: 1 })).encounter;
    expect(e.steps).toEqual([{ name: 'face', state: 'running', tries: 1 }]);
    expect(encounter.steps?.[0]?.state, 'the argument is left alone').toBe('pending');
    e = apply(e, event('inspection.ready', { checks: [{ code: 'portrait.match', result: 'not-performed' }, { code: 'x', result: 'pass' }] })).encounter;
    e = apply(e, event('comparison.done', { checks: [{ code: 'portrait.match', result: 'fail' }], comparison: { match: false } })).encounter;
    expect(e.inspection?.checks?.map((c) => [c.code, c.result])).toEqual([['x', 'pass'], ['portrait.match', 'fail']]);
    expect(apply(e, event('screening.started', {})).encounter.state).toBe('screening');
    expect(apply({ ...e, state: 'review' }, event('screening.started', {})).encounter.state, 'no verdict is taken back').toBe('review');
  });
});

test('error rates in words never claim more than was measured', () => {
  expect([1e-5, 0.001, 0.00034, 0.2, 0.9, 0, 1e-12, Number.NaN].map(oneIn)).toEqual(['1 in 100,000', '1 in 1,000', '1 in 2,000', '1 in 5', 'as likely as not', 'exact', 'less than 1 in 100,000,000', 'not known']);
});
