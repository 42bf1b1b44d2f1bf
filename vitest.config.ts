import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['**/*.test.ts'],
    exclude: ['node_modules/**', 'dist/**'],
    globalSetup: ['test/build-command-line.ts'],
    // A busy machine is slow; a test that hangs is told of all the same.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
