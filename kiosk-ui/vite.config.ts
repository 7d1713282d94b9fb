import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

// The page is served by the post itself from the embedded dist folder. Nothing
// is loaded from elsewhere and nothing is inlined, so that the post's content
// security policy can forbid both.
export default defineConfig({
  plugins: [svelte()],
  build: {
    target: 'chrome120',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
    rolldownOptions: { checks: { pluginTimings: false } },
  },
  test: { include: ['tests/**/*.test.ts'] },
});
