// How the built page carries its texts: one line a segment of the keys, indented by its depth, so that a word many keys
// begin with is sent once. The budget of the page is why (tests/size.test.ts).

/** pack writes a table; keys hold no "=", texts no line breaks. */
export function pack(table: Readonly<Record<string, string>>): string {
  const lines: string[] = [];
  // Keys of one beginning stand together; those with the same first words keep their order.
  const group = (keys: readonly string[], depth: number): void => {
    const heads = [...new Set(keys.map((k) => k.split('.')[depth] ?? ''))];
    for (const head of heads) {
      const mine = keys.filter((k) => (k.split('.')[depth] ?? '') === head);
      const leaf = mine.find((k) => k.split('.').length <= depth + 1);
      const line = '\t'.repeat(depth) + head;
      if (mine.length === 1 && leaf !== undefined) {
        lines.push(`${line}=${table[leaf] ?? ''}`);
        continue;
      }
      lines.push(line);
      if (leaf !== undefined) lines.push(`${'\t'.repeat(depth + 1)}=${table[leaf] ?? ''}`);
      group(mine.filter((k) => k !== leaf), depth + 1);
    }
  };
  group(Object.keys(table), 0);
  return lines.join('\n');
}

/** unpack reads what pack wrote. */
export function unpack(packed: string): Record<string, string> {
  const table: Record<string, string> = {};
  const path: string[] = [];
  for (const line of packed.split('\n')) {
    const [, tabs = '', head = '', text] = /^(\t*)([^=]*)=?(.*)/.exec(line) ?? [];
    path.length = tabs.length;
    if (head) path.push(head);
    if (line.includes('=')) table[path.join('.')] = text ?? '';
  }
  return table;
}
