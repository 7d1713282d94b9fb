import { expect, test } from 'vitest';
import { Lease, warnFor } from '../src/session/lease.ts';
import { countdown } from '../src/texts/time.ts';

const stood = { ends: '2026-01-01T12:00:00Z', idle_seconds: 1800, server_time: '2026-01-01T00:00:00Z' };
const minute = 60_000;

test('a session ends when nobody has used it for its time', () => {
  const l = new Lease(stood, 0);
  expect(l.at(0)).toEqual({ left: 30 * minute, shift: false });
  expect(l.at(29 * minute).left).toBeLessThanOrEqual(warnFor);
  expect(l.at(30 * minute).left).toBe(0);
  l.used(20 * minute);
  expect(l.at(29 * minute)).toEqual({ left: 21 * minute, shift: false });
});

test('at the end of the shift it ends whatever is done', () => {
  const l = new Lease(stood, 0);
  const late = 12 * 60 * minute - minute;
  l.used(late);
  expect(l.at(late)).toEqual({ left: minute, shift: true });
});

test('the clock of this browser need not be the post’s', () => {
  const wrong = Date.parse('1999-01-01T00:00:00Z');
  expect(new Lease(stood, wrong).at(wrong)).toEqual({ left: 30 * minute, shift: false });
  expect(new Lease({ ...stood, ends: 'soon' }, wrong).at(wrong).left).toBe(30 * minute);
});

test('a countdown never says less than is left, and never less than nothing', () => {
  expect([119.2, 60, 59.01, 5, 0, -3].map(countdown)).toEqual(['2:00', '1:00', '1:00', '0:05', '0:00', '0:00']);
});
