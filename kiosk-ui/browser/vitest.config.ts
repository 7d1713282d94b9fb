import { defineConfig } from 'vitest/config';

// The page in a real browser against a real post: one after the other, since a
// post has one reader and one camera.
export default defineConfig({
  test: {
    include: ['browser/**/*.test.ts'],
    root: new URL('..', import.meta.url).pathname,
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 240_000,
    globalSetup: ['browser/setup.ts'],
    setupFiles: ['browser/leftovers.ts'],
    reporters: ['default', './browser/last.ts'],
  },
});
