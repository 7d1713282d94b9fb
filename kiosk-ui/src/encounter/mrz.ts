// What an officer types off the data page, checked before the chip is asked:
// a wrong digit found here costs a second, found by the chip it costs a try.
// Forms and check digits: ICAO Doc 9303-3 (8th edition, 2021) 4.9.

const weights = [7, 3, 1];

/** checkDigit is the check digit of Doc 9303-3 4.9 over text, undefined if a character is not of the zone. */
export function checkDigit(text: string): number | undefined {
  let sum = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    let v: number;
    if (c >= 48 && c <= 57) v = c - 48;
    else if (c >= 65 && c <= 90) v = c - 55;
    else if (c === 60) v = 0;
    else return undefined;
    sum += v * (weights[i % 3] ?? 0);
  }
  return sum % 10;
}

export type Problem = 'number' | 'birth' | 'expiry' | 'lines';

/** Entry is either a key for the chip or what is wrong with what was typed. */
export type Entry = { ok: true; mrz: string } | { ok: false; problems: Problem[] };

/** zoneLines cleans what was typed or pasted: upper case, no blanks, « and spaces as fillers. */
export function zoneLines(typed: string): string[] {
  return typed
    .toUpperCase()
    .replace(/[«‹]/g, '<')
    .split(/[\r\n]+/)
    .map((l) => l.replace(/\s+/g, ''))
    .filter((l) => l !== '');
}

interface Form {
  lines: number;
  width: number;
  /** line, begin, end, place of the check digit */
  fields: readonly [Problem, number, number, number, number][];
}

const forms: readonly Form[] = [
  { lines: 2, width: 44, fields: [['number', 1, 0, 9, 9], ['birth', 1, 13, 19, 19], ['expiry', 1, 21, 27, 27]] },
  { lines: 2, width: 36, fields: [['number', 1, 0, 9, 9], ['birth', 1, 13, 19, 19], ['expiry', 1, 21, 27, 27]] },
  { lines: 3, width: 30, fields: [['number', 0, 5, 14, 14], ['birth', 1, 0, 6, 6], ['expiry', 1, 8, 14, 14]] },
];

/** fromLines judges the zone's lines: TD3 and TD2 (two lines) or TD1 (three). */
export function fromLines(typed: string): Entry {
  const lines = zoneLines(typed);
  const form = forms.find((f) => f.lines === lines.length && lines.every((l) => l.length === f.width));
  if (!form || lines.some((l) => /[^A-Z0-9<]/.test(l))) return { ok: false, problems: ['lines'] };
  const problems: Problem[] = [];
  for (const [name, line, begin, end, at] of form.fields) {
    const whole = lines[line] ?? '';
    const digit = whole.charAt(at);
    // A document number of more than nine characters has a filler here and its digit elsewhere.
    if (name === 'number' && digit === '<') continue;
    if (String(checkDigit(whole.slice(begin, end))) !== digit) problems.push(name);
  }
  return problems.length > 0 ? { ok: false, problems } : { ok: true, mrz: lines.join('\n') };
}

/** fromFields judges the three fields that open a chip. Dates are YYMMDD. */
export function fromFields(number: string, birth: string, expiry: string): Entry {
  const cleaned = number.toUpperCase().replace(/\s+/g, '');
  const problems: Problem[] = [];
  if (!/^[A-Z0-9<]{1,22}$/.test(cleaned)) problems.push('number');
  if (dateOf(birth, 'past') === undefined) problems.push('birth');
  if (dateOf(expiry, 'near') === undefined) problems.push('expiry');
  if (problems.length > 0) return { ok: false, problems };
  return { ok: true, mrz: [cleaned, digits(birth), digits(expiry)].join(',') };
}

function digits(date: string): string {
  return date.replace(/[\s.\-/]/g, '');
}

/**
 * dateOf reads YYMMDD as a date, so that the page can say it back in words. A
 * date of birth lies in the past; another is the nearest year. Undefined if
 * there is no such day.
 */
export function dateOf(typed: string, era: 'past' | 'near', now = new Date()): Date | undefined {
  const d = digits(typed);
  if (!/^\d{6}$/.test(d)) return undefined;
  const [yy, month, day] = [Number(d.slice(0, 2)), Number(d.slice(2, 4)), Number(d.slice(4, 6))];
  const century = Math.floor(now.getUTCFullYear() / 100) * 100;
  let year = century + yy;
  if (era === 'past' ? Date.UTC(year, month - 1, day) > now.getTime() : year > now.getUTCFullYear() + 50) year -= 100;
  const date = new Date(Date.UTC(year, month - 1, day));
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day ? date : undefined;
}
