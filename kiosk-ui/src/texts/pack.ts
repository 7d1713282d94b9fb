// How the built page carries its texts: one entry a segment of the keys, so that a word many keys begin with is sent
// once. The budget of the page is why (tests/size.test.ts).

/** depths begin an entry, each at its own depth; no key and no text holds one of them. */
export const depths = '^|<>~@';

/** pack writes a table; keys hold no "=". */
export function pack(table: Readonly<Record<string, string>>): string {
  let out = '';
  const group = (keys: readonly string[], depth: number): void => {
    for (const head of new Set(keys.map((k) => k.split('.')[depth] ?? ''))) {
      const mine = keys.filter((k) => (k.split('.')[depth] ?? '') === head);
      const leaf = mine.find((k) => k.split('.').length <= depth + 1);
      out += `${depths.charAt(depth)}${head}`;
      if (leaf !== undefined) out += `${mine.length === 1 ? '' : depths.charAt(depth + 1)}=${table[leaf] ?? ''}`;
      group(mine.filter((k) => k !== leaf), depth + 1);
    }
  };
  group(Object.keys(table), 0);
  return out;
}

/** unpack reads what pack wrote. */
export function unpack(packed: string): Record<string, string> {
  const table: Record<string, string> = {};
  const path: string[] = [];
  for (const [, depth = '', head = '', text] of packed.matchAll(/([\^|<>~@])([^=^|<>~@]*)(?:=([^^|<>~@]*))?/g)) {
    path.length = depths.indexOf(depth);
    if (head) path.push(head);
    if (text !== undefined) table[path.join('.')] = text;
  }
  return table;
}
