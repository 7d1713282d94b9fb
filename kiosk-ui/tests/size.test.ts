import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';

// The page's budget: 60 kB over the wire. To raise it, the design's issue on
// the post has to be changed, not this number.
const budget = 61_440; // bytes, gzip, all scripts and styles

const assets = new URL('../dist/assets/', import.meta.url);

test.skipIf(!existsSync(assets))('the built page keeps its budget', () => {
  const sizes = readdirSync(assets).filter((f) => /\.(js|css)$/.test(f)).map((f) => gzipSync(readFileSync(new URL(f, assets)), { level: 9 }).length);
  expect(sizes.length).toBeGreaterThan(0);
  const total = sizes.reduce((a, b) => a + b, 0);
  console.info(`page: ${total} bytes gzip of ${budget}`);
  expect(total).toBeLessThanOrEqual(budget);
});
