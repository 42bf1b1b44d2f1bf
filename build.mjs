// Builds the one-file command line, dist/podwalk.mjs. Run by `npm ci` and `npm install` (script `prepare`).
import { chmodSync } from 'node:fs'
import { build } from 'esbuild'

await build({
  entryPoints: ['cli/main.ts'],
  outfile: 'dist/podwalk.mjs',
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  legalComments: 'inline',
  // dns-packet and commander are CommonJS: what they require is found through this.
  banner: {
    js: "import { createRequire as podwalkRequire } from 'node:module'; const require = podwalkRequire(import.meta.url);",
  },
  logLevel: 'warning',
})
chmodSync('dist/podwalk.mjs', 0o755)
