import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { loadAll } from 'js-yaml'
import { ROOT } from '../command-line.ts'
import type { Corpus } from './mutated-snapshot.ts'

/** The recorded clusters and the documents of all labs. */
export function fuzzCorpus(): Corpus {
  const snapshots = join(ROOT, 'test/cases/snapshots')
  const recorded = readdirSync(snapshots, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => JSON.parse(gunzipSync(readFileSync(join(snapshots, name, 'all.json.gz'))).toString()).items)
  const topologies = join(ROOT, 'topologies')
  const labs = readdirSync(topologies, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => loadAll(readFileSync(join(topologies, name, 'lab.yaml'), 'utf8')))
  // A quarter of the choices are what people write by hand.
  const written = labs.filter((value) => typeof value === 'object' && value !== null)
  return [...recorded, ...written.flatMap((value) => [value, value])]
}
