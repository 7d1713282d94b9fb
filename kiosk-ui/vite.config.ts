import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

// The page is served by the post itself from the embedded dist folder. Nothing
// is loaded from elsewhere and nothing is inlined, so that the post's content
// security policy can forbid both.
export default defineConfig({
  // Short class names: every page has them twice, in its script and in its styles.
  plugins: [svelte({ compilerOptions: { cssHash: ({ hash, css }) => `s${hash(css).slice(0, 3)}`, discloseVersion: false } })],
  build: {
    target: 'chrome120',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
    rolldownOptions: { checks: { pluginTimings: false } },
  },
  test: { include: ['tests/**/*.test.ts'] },
});
