import { check } from '../../cluster/check.ts'
import { load } from '../../cluster/load.ts'
import { type Corpus, mutatedSnapshot } from './mutated-snapshot.ts'

/** Loads and checks one damaged snapshot. Throws where podwalk does, or where it says something that cannot be. */
export function loadMutated(corpus: Corpus, seed: number): void {
  const { name, bytes } = mutatedSnapshot(corpus, seed)
  const loaded = load([{ name, bytes }])
  const report = check(loaded)
  for (const { at, message, code } of report.findings) {
    if (at !== undefined && !(Number.isInteger(at.line) && at.line > 0)) throw new Error(`${code} has line ${at.line}`)
    // A message that quotes the input may say anything.
    if (
      message.length < 300 &&
      /undefined|\[object|NaN/.test(message) &&
      !/"[^"]*(undefined|\[object|NaN)/.test(message)
    )
      throw new Error(`${code} says: ${message}`)
  }
  if (({} as { polluted?: boolean }).polluted !== undefined) throw new Error('Object.prototype was changed')
}
