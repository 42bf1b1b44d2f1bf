import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { buildSync } from 'esbuild'
import { ROOT } from '../command-line.ts'
import type { FuzzWord, FuzzWork } from './worker.ts'

/**
 * `npm run fuzz [-- COUNT [FIRST]]`: loads damaged snapshots (100,000 unless said), each made from its seed. None may
 * throw, take more than two seconds of the processor, or more than 500 MB of memory.
 */
const count = Number(process.argv[2] ?? 100_000)
const first = Number(process.argv[3] ?? 0)
/** A worker hangs that is at one seed for so many looks, a second or more apart: on a busy machine clocks say little. */
const HANGS_AFTER_LOOKS = 60

const outfile = join(ROOT, 'dist', `fuzz-worker-${process.pid}.mjs`)
buildSync({ entryPoints: [join(ROOT, 'test/fuzz/worker.ts')], outfile, bundle: true, platform: 'node', format: 'esm' })

const findings: string[] = []
const found = (text: string): void => {
  findings.push(text)
  console.error(text)
}

/** Runs seeds until they are done, or the worker hangs or dies; answers the seed to go on with. */
function run(work: FuzzWork): Promise<number> {
  return new Promise((resolve) => {
    const worker = new Worker(outfile, {
      workerData: work,
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: 1000 },
    })
    let seed = work.from
    let looks = 0
    let before = -1
    const watch = setInterval(() => {
      // Words that wait to be read are read first.
      setImmediate(() => {
        looks = seed === before ? looks + 1 : 0
        before = seed
        if (looks > HANGS_AFTER_LOOKS) end(`seed ${seed} hangs`)
      })
    }, 1000)
    const end = (text: string | undefined): void => {
      clearInterval(watch)
      worker.removeAllListeners()
      worker.on('error', () => undefined)
      void worker.terminate()
      if (text !== undefined) found(text)
      resolve(text === undefined ? work.to : seed + 1)
    }
    worker.on('message', (word: FuzzWord) => {
      switch (word.kind) {
        case 'begin':
          seed = word.seed
          if (seed % 1000 === 0) console.log(`${seed - first} of ${count}: ${findings.length} findings`)
          break
        case 'threw':
          found(`seed ${word.seed} threw ${word.error}`)
          break
        case 'slow':
          found(`seed ${word.seed} took ${word.milliseconds} ms`)
          break
        case 'memory':
          found(`seed ${word.seed} took the memory to ${word.megabytes} MB`)
          break
        default:
          end(undefined)
      }
    })
    worker.on('error', (error) => end(`seed ${seed} died: ${error.message}`))
  })
}

for (let seed = first; seed < first + count; ) seed = await run({ from: seed, to: first + count })
rmSync(outfile)
console.log(`${count} damaged snapshots from seed ${first}: ${findings.length} findings`)
process.exitCode = findings.length === 0 ? 0 : 1
