import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

// The page of central's administration, into a folder of its own: the officer's
// page has a budget, and loads nothing of this one.
export default defineConfig({
  root: new URL('.', import.meta.url).pathname,
  publicDir: '../public',
  plugins: [svelte({ compilerOptions: { discloseVersion: false } })],
  build: {
    outDir: '../dist-central',
    emptyOutDir: true,
    target: 'chrome120',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: { checks: { pluginTimings: false } },
  },
});
