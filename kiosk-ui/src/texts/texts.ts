import en from './en.json';

// Texts by key. English is the first table; another language is another table
// with the same keys, its tag (BCP 47) and its direction among them.

export type TextKey = keyof typeof en;
export type Values = Readonly<Record<string, string | number>>;

const table: Readonly<Record<string, string>> = en;

/** language is the tag that numbers and times are written by. */
export const language = en['language.tag'];

/** declare tells the browser, and whoever listens to the page, what language it is in. */
export function declare(root: HTMLElement): void {
  root.lang = language;
  root.dir = en['language.dir'];
}

/** count writes a whole number. */
export const count = (n: number): string => n.toLocaleString(language);

function fill(pattern: string, values: Values): string {
  return pattern.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

/** text returns the text of a key; {name} in it is replaced by values.name. */
export function text(key: TextKey, values: Values = {}): string {
  return fill(en[key], values);
}

/** has reports whether there is a text for a key that comes from the wire. */
export function has(key: string): boolean {
  return Object.hasOwn(table, key);
}

/** textOf returns the first text that exists among keys made of the wire's words, else otherwise's. */
export function textOf(keys: readonly string[], otherwise: TextKey, values: Values = {}): string {
  const found = keys.find(has);
  return fill(found === undefined ? en[otherwise] : (table[found] ?? ''), values);
}
