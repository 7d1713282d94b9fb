import { describe, expect, test } from 'vitest';
import type { Check, Encounter } from '../src/api/words.ts';
import { cardOf, cards, headline, missingText, toneOf, worst } from '../src/encounter/verdict.ts';

const pass = (code: string): Check => ({ code, result: 'pass', reason: '', clause: 'x' });
const sound: Check[] = ['sod.signature', 'ds.chain', 'dg1.hash', 'dg2.hash', 'document.expiry', 'mrz.check_digits', 'portrait.decode', 'portrait.match'].map(pass);

function person(change: Partial<Encounter> & { checks?: Check[]; refers?: string[] } = {}): Encounter {
  const { checks = sound, refers = [], ...rest } = change;
  return {
    version: 1, id: 'e', post: 'p', workplace: 'desk', officer: 'o', purpose: 'x', opened: '2026-01-01T00:00:00Z', state: 'review',
    declared: { age: 'adult' }, age: 'adult', answer: 'clear',
    steps: [{ name: 'document', state: 'done', tries: 1 }, { name: 'face', state: 'done', tries: 1 }],
    inspection: { document: { format: 'TD3', type: 'P', issuer: 'UTO', number: 'X', nationality: 'UTO', expiry: '2030-01-01', vouched: true }, access: { protocol: 'PACE' }, checks, data: {} },
    comparison: { score: 0.9, fmr: 1e-5, threshold: 0.8, match: true, vouched: true },
    advice: { clear: refers.length === 0, reasons: refers.map((code) => ({ source: 'check', code, severity: 'refer' })) },
    ...rest,
  } as Encounter;
}

const failing = (code: string, reason = 'hash_mismatch'): Check => ({ code, result: 'fail', reason, clause: 'x' });
const withCheck = (c: Check): Check[] => [...sound.filter((s) => s.code !== c.code), c];

describe('headline', () => {
  test('a person against whom nothing speaks', () => {
    expect(headline(person()).tone).toBe('go');
    expect(cards(person()).map((c) => [c.name, c.tone])).toEqual([['document', 'go'], ['chip', 'note'], ['dates', 'go'], ['holder', 'go'], ['lists', 'go']]);
  });

  // One failure a line, with what an officer has to read.
  const failures: [string, Check, string, string][] = [
    ['portrait replaced', failing('dg2.hash'), 'stop', 'portrait in the chip was replaced'],
    ['data changed', failing('dg1.hash'), 'stop', 'name or dates'],
    ['signature broken', failing('sod.signature', 'bad'), 'stop', 'signature in the chip is broken'],
    ['imitated issuer', failing('ds.chain', 'no_anchor_fits'), 'stop', 'not issued by the country'],
    ['signer revoked', failing('ds.revocation', 'revoked'), 'stop', 'revoked'],
    ['no anchors', { code: 'ds.chain', result: 'not-assessable', reason: 'no_anchor_for_country', clause: 'x' }, 'look', 'cannot be proven'],
    ['copied chip', failing('active.authentication', 'bad'), 'stop', 'copy'],
    ['copied chip', failing('chip.authentication', 'bad'), 'stop', 'copy'],
    ['another face', failing('portrait.match', 'below_threshold'), 'stop', 'not the holder'],
    ['expired', failing('document.expiry', 'expired'), 'stop', 'expired'],
    ['other group', failing('dg14.hash'), 'stop', 'forged or altered'],
    ['check that is not known here', failing('dg99.novel', 'novel'), 'stop', 'forged or altered'],
  ];
  test.each(failures)('%s', (_, check, tone, words) => {
    const h = headline(person({ checks: withCheck(check), refers: [check.code] }));
    expect(h.tone).toBe(tone);
    expect(h.title).toContain(words);
    expect(h.next).not.toBe('');
  });

  test('the heaviest failure is the headline', () => {
    const e = person({ checks: withCheck(failing('dg2.hash')).concat(failing('dg.unlisted')), refers: ['dg2.hash', 'dg.unlisted'] });
    expect(headline(e).title).toContain('portrait');
  });

  test('nothing but a clear advice in review says go', () => {
    const never: Partial<Encounter>[] = [
      { state: 'collecting' }, { state: 'screening' }, { state: 'unknown' }, { answer: 'unknown' }, { answer: 'not-verified', missing: ['face: age_unknown'] },
      { advice: { clear: false, reasons: null } },
      { steps: [{ name: 'document', state: 'skipped', tries: 0, code: 'lost' }, { name: 'face', state: 'done', tries: 1 }] },
    ];
    for (const n of never) {
      const e = person(n);
      if (n.steps) delete e.inspection;
      expect(headline(e).tone, JSON.stringify(n)).not.toBe('go');
    }
    const without = person();
    delete without.advice;
    expect(headline(without).tone).not.toBe('go');
  });

  test('a word from a newer post lets nobody through', () => {
    const strange = 'splendid' as 'clear';
    expect(headline(person({ answer: strange })).tone).not.toBe('go');
    expect(toneOf({ code: 'x', result: strange as 'pass', reason: '', clause: '' }, person())).toBe('look');
    expect(headline(person({ state: strange as 'review' })).tone).not.toBe('go');
  });
});

describe('the live check is told in the verdict', () => {
  const judged = (result: Check['result'], reason: string, severity?: string): Encounter => {
    const e = person();
    const check: Check = { code: 'presentation.attack', result, reason, clause: 'x' };
    const reasons = severity ? [{ source: 'check', code: check.code, severity }] : [];
    return { ...e, presentation: { display: 'officer', tries: 1, of: 2, check }, advice: { clear: severity !== 'refer', reasons } } as Encounter;
  };
  test.each([
    ['fail', 'flat', 'refer', 'stop', 'No live person is proven', 'Failed: flat like a picture.'],
    ['fail', 'flat', 'note', 'look', 'No live person is proven', 'Failed: flat like a picture.'],
    ['not-assessable', 'few_frames', 'refer', 'look', 'No live person is proven', 'Undetermined: not seen long enough.'],
    ['not-assessable', 'few_frames', 'note', 'note', 'Nothing speaks against this person', 'Undetermined: not seen long enough.'],
    ['not-performed', 'not_done', 'refer', 'look', 'No live person is proven', 'Not performed: not done.'],
    ['not-performed', 'not_done', 'note', 'note', 'Nothing speaks against this person', 'Not performed: not done.'],
    ['pass', '', undefined, 'go', 'Nothing speaks against this person', 'Successful.'],
  ] as const)('%s by %s, weighed %s', (result, reason, severity, tone, title, says) => {
    const e = judged(result, reason, severity);
    expect(cards(e).find((c) => c.name === 'live')).toMatchObject({ tone, title: 'Live check', says });
    expect(headline(e).title).toBe(title);
  });

  test('a skipped one tells the reason that the officer gave', () => {
    const e = judged('not-performed', 'not_done', 'note');
    const steps = [...(e.steps ?? []), { name: 'presentation', state: 'skipped', tries: 0, code: 'a child cries' }];
    expect(cards({ ...e, steps } as Encounter).find((c) => c.name === 'live')?.says).toBe('Not performed: a child cries.');
  });

  test('none where none was asked for, nor before there is an advice', () => {
    expect(cards(person()).some((c) => c.name === 'live')).toBe(false);
    const { advice: _, ...before } = judged('not-performed', 'not_done');
    expect(cards(before as Encounter).some((c) => c.name === 'live')).toBe(false);
  });
});

describe('cards', () => {
  test('faces that match prove nothing where nobody vouches for the portrait', () => {
    const e = person({ comparison: { score: 0.9, fmr: 1e-5, threshold: 0.8, match: true, vouched: false } });
    expect(cards(e).find((c) => c.name === 'holder')?.tone).toBe('look');
  });

  const candidate = { source: 'local', list: 'l', record: 'r', edition: 1, owner: 'o', legal_basis: 'b', purpose: 'p', handling: 'refer', confirm: false, scores: [], alarm: false };
  test.each([
    ['unknown', 'stop', '1 possible hit'],
    ['same_person', 'stop', 'Listed person'],
    ['undecided', 'look', 'Hit left open'],
    ['different_person', 'go', 'Hits were others'],
  ] as const)('a candidate found %s', (finding, tone, title) => {
    const e = person({ answer: 'candidates', candidates: [{ ...candidate, finding }] });
    expect(cards(e).find((c) => c.name === 'lists')).toMatchObject({ tone, title });
  });

  test('candidates that were others leave what was not searched', () => {
    const e = person({ answer: 'candidates', missing: ['central: source.deadline'], candidates: [{ ...candidate, finding: 'different_person' }] });
    expect(cards(e).find((c) => c.name === 'lists')).toMatchObject({ tone: 'look', says: 'Central did not answer in time.' });
  });

  test('a skipped face is said', () => {
    const e = person({ steps: [{ name: 'document', state: 'done', tries: 1 }, { name: 'face', state: 'skipped', tries: 0 }] });
    expect(cards(e).find((c) => c.name === 'holder')?.tone).toBe('look');
  });

  test('one proof of the chip is enough, a failed one never is', () => {
    const chip = (...checks: Check[]): string | undefined => cards(person({ checks: [...sound, ...checks], refers: [] })).find((c) => c.name === 'chip')?.tone;
    expect(chip(pass('chip.authentication'))).toBe('go');
    expect(chip(pass('access.protocol'))).toBe('note');
    expect(chip({ code: 'active.authentication', result: 'not-performed', reason: 'not_present', clause: 'x' })).toBe('note');
    expect(chip(pass('chip.authentication'), failing('active.authentication', 'bad'))).not.toBe('go');
  });
});

test('every check belongs to a card, also those to come', () => {
  expect(['portrait.match', 'active.authentication', 'document.expiry', 'document.deviation', 'dg7.hash', 'novel.check'].map(cardOf)).toEqual(['holder', 'chip', 'dates', 'document', 'document', 'document']);
});

test('the heaviest tone wins, nothing is no pass', () => {
  expect(worst(['go', 'stop', 'look'])).toBe('stop');
  expect(worst([])).not.toBe('go');
});

test('what is missing is said in words, and shown as it is where there are none', () => {
  expect(missingText('face: age_unknown')).toContain('may be a minor');
  expect(missingText('local: demo-persons stale')).toContain('too old');
  expect(missingText('novel thing')).toContain('ovel thing');
});
