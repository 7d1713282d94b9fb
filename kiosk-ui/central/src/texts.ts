import en from './en.json';

// Texts by key, as the officer's page has them: another language is another
// table with the same keys.

export type TextKey = keyof typeof en;
export type Values = Readonly<Record<string, string | number>>;

const table: Readonly<Record<string, string>> = en;
export const language = en['language.tag'];

/** declare tells the browser what language the page is in. */
export function declare(root: HTMLElement): void {
  root.lang = language;
  root.dir = en['language.dir'];
}

const fill = (pattern: string, values: Values): string => pattern.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));

/** text returns the text of a key; {name} in it is replaced by values.name. */
export const text = (key: TextKey, values: Values = {}): string => fill(en[key], values);

/** textOf returns the first text that exists among keys made of the wire's words, else otherwise's. */
export function textOf(keys: readonly string[], otherwise: TextKey, values: Values = {}): string {
  const found = keys.find((k) => Object.hasOwn(table, k));
  return fill(found === undefined ? en[otherwise] : (table[found] ?? ''), values);
}

const clock = new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'short', hourCycle: 'h23' });

/** when writes a moment of the wire in local time. */
export function when(wire: string | undefined): string {
  const t = new Date(wire ?? '');
  return Number.isNaN(t.getTime()) ? text('none') : clock.format(t);
}

/** age writes how long before now a moment was: "3 h". */
export function age(wire: string | number | undefined, now: string): string {
  const seconds = (new Date(now).getTime() - new Date(wire ?? NaN).getTime()) / 1000;
  if (Number.isNaN(seconds)) return text('none');
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1) return text('age.moments');
  if (minutes < 60) return text('age.minutes', { n: minutes });
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? text('age.hours', { n: hours }) : text('age.days', { n: Math.floor(hours / 24) });
}

/** count writes a whole number. */
export const count = (n: number): string => n.toLocaleString(language);

/** size writes bytes. */
export function size(bytes: number): string {
  return bytes < 1 << 20 ? text('size.kib', { n: count(Math.ceil(bytes / 1024)) }) : text('size.mib', { n: count(Math.round(bytes / (1 << 20))) });
}
