import { spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { buildSync } from 'esbuild'
import { dump } from 'js-yaml'
import { ROOT } from '../command-line.ts'
import { syntheticPod } from './synthetic-pods.ts'

export interface ReadingBench {
  readonly name: string
  readonly megabytes: number
  readonly seconds: number
  /** Of the processor: what it would take on an idle machine. */
  readonly cpuSeconds: number
  /** The most memory that the process had. */
  readonly memory: number
}

const FORMS = ['json', 'yaml', 'json.gz'] as const

/** Reads many pods in the forms that kubectl prints, each in a process of its own. */
export function benchReading(pods = 20_000): readonly ReadingBench[] {
  const folder = mkdtempSync(join(tmpdir(), 'podwalk-bench-'))
  try {
    const child = join(folder, 'read-child.mjs')
    buildSync({
      entryPoints: [join(ROOT, 'test/bench/read-child.ts')],
      outfile: child,
      bundle: true,
      platform: 'node',
      format: 'esm',
    })
    return FORMS.flatMap((form) => {
      const path = join(folder, `pods.${form}`)
      write(path, form, pods)
      const megabytes = Math.round(statSync(path).size / 1e6)
      return (['read', 'load'] as const).map((what) => {
        const { stdout, stderr } = spawnSync(process.execPath, [child, path, what], { encoding: 'utf8' })
        if (stdout === '') throw new Error(stderr)
        const run = JSON.parse(stdout) as {
          pods: number
          milliseconds: number
          cpuMilliseconds: number
          megabytes: number
        }
        if (run.pods !== pods) throw new Error(`${run.pods} pods were read of ${pods}`)
        const name = `${what === 'read' ? 'reading' : 'loading'} ${pods.toLocaleString('en')} pods, ${form}`
        return {
          name,
          megabytes,
          seconds: run.milliseconds / 1000,
          cpuSeconds: run.cpuMilliseconds / 1000,
          memory: Math.round(run.megabytes),
        }
      })
    })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** As kubectl prints a List. */
function write(path: string, form: (typeof FORMS)[number], pods: number): void {
  const file = openSync(path, 'w')
  const put = (text: string) => void writeSync(file, form === 'json.gz' ? gzipSync(text) : Buffer.from(text))
  put(form === 'yaml' ? 'apiVersion: v1\nitems:\n' : '{\n    "apiVersion": "v1",\n    "items": [\n')
  const AT_ONCE = 500
  for (let i = 0; i < pods; i += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, pods - i) }, (_, k) => syntheticPod(i + k))
    if (form === 'yaml') put(dump(some, { seqNoIndent: true, noRefs: true, lineWidth: 80, sortKeys: false }))
    else
      put(
        some.map((pod) => JSON.stringify(pod, undefined, 4).replaceAll(/^/gm, '        ')).join(',\n') +
          (i + AT_ONCE < pods ? ',\n' : '\n'),
      )
  }
  put(
    form === 'yaml'
      ? 'kind: List\nmetadata:\n  resourceVersion: ""\n'
      : '    ],\n    "kind": "List",\n    "metadata": {\n        "resourceVersion": ""\n    }\n}\n',
  )
  closeSync(file)
}
