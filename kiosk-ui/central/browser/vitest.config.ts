import { defineConfig } from 'vitest/config';

// Central's page in a real browser against a real central with its own PostgreSQL.
export default defineConfig({
  test: {
    include: ['central/browser/**/*.test.ts'],
    root: new URL('../..', import.meta.url).pathname,
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 180_000,
    reporters: ['default', './browser/last.ts'],
  },
});
