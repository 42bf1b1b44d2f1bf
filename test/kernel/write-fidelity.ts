import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { currentFidelity, FIDELITY } from './fidelity-sources.ts'

/** `npm run fidelity`: writes docs/fidelity.md from the last reports. */
mkdirSync(dirname(FIDELITY), { recursive: true })
writeFileSync(FIDELITY, currentFidelity())
console.log(FIDELITY)
