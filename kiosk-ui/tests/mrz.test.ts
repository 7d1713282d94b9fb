import { describe, expect, test } from 'vitest';
import { checkDigit, dateOf, fromFields, fromLines } from '../src/encounter/mrz.ts';

// The specimen of ICAO Doc 9303-4 (8th edition, 2021), appendix A.
const td3 = 'P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL898902C36UTO7408122F1204159ZE184226B<<<<<10';
const td1 = 'I<UTOD231458907<<<<<<<<<<<<<<<\n7408122F1204159UTO<<<<<<<<<<<6\nERIKSSON<<ANNA<MARIA<<<<<<<<<<';

describe('lines', () => {
  test.each([td3, td1, td3.toLowerCase(), td3.replace('\n', '\r\n'), `  ${td3.replaceAll('<<<', '<< <')} \n`])('are taken', (typed) => {
    expect(fromLines(typed).ok).toBe(true);
  });
  test('a digit typed wrong is found, with its field', () => {
    expect(fromLines(td3.replace('740812', '740813'))).toEqual({ ok: false, problems: ['birth'] });
    expect(fromLines(td3.replace('120415', '120514'))).toEqual({ ok: false, problems: ['expiry'] });
    expect(fromLines(td3.replace('L898902C3', 'L8989O2C3'))).toEqual({ ok: false, problems: ['number'] });
    expect(fromLines(td1.replace('D23145890', 'D23145891'))).toEqual({ ok: false, problems: ['number'] });
  });
  test.each(['', 'P<UTO', td3.slice(1), `${td3}\n${td3}`, td3.replace('ANNA', 'ANN+'), td1.split('\n').slice(0, 2).join('\n')])('of another form are refused', (typed) => {
    expect(fromLines(typed)).toEqual({ ok: false, problems: ['lines'] });
  });
});

describe('fields', () => {
  test('are taken, with blanks and dots', () => {
    expect(fromFields(' l898902c3', '74 08 12', '12.04.15')).toEqual({ ok: true, mrz: 'L898902C3,740812,120415' });
  });
  test.each([
    [['', '740812', '120415'], ['number']],
    [['L898902C3!', '740812', '120415'], ['number']],
    [['L898902C3', '740832', '120415'], ['birth']],
    [['L898902C3', '7408', '120415'], ['birth']],
    [['L898902C3', '740812', '121315'], ['expiry']],
    [['', '', ''], ['number', 'birth', 'expiry']],
  ] as const)('%j are refused', ([number, birth, expiry], problems) => {
    expect(fromFields(number, birth, expiry)).toEqual({ ok: false, problems });
  });
});

test('dates: a birth lies in the past, an expiry near', () => {
  const now = new Date('2026-11-22T00:00:00Z');
  expect(dateOf('271231', 'past', now)?.getUTCFullYear()).toBe(1927);
  expect(dateOf('261121', 'past', now)?.getUTCFullYear()).toBe(2026);
  expect(dateOf('351001', 'near', now)?.getUTCFullYear()).toBe(2035);
  expect(dateOf('991001', 'near', now)?.getUTCFullYear()).toBe(1999);
  expect(dateOf('230229', 'past', now)).toBeUndefined();
});

test('check digits of Doc 9303-3 4.9', () => {
  expect(['520727', 'AB2134<<<', 'L898902C3'].map(checkDigit)).toEqual([3, 5, 6]);
  expect(checkDigit('a')).toBeUndefined();
});
