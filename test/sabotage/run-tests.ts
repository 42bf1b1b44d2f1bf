import { spawnSync } from 'node:child_process'

/** `tsx run-tests.ts FILE...`: runs tests up to the first that fails, and tells which it was. */
const { stdout, status } = spawnSync(
  'npx',
  ['vitest', 'run', '--bail=1', '--reporter=json', ...process.argv.slice(2)],
  {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  },
)

interface Report {
  readonly testResults?: readonly {
    readonly name: string
    readonly message?: string
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[]
  }[]
}

const json = /^\{.*$/m.exec(stdout)?.[0]
const { testResults = [] }: Report = json === undefined ? {} : JSON.parse(json)
const failed = testResults.flatMap(({ assertionResults }) => assertionResults.filter((one) => one.status === 'failed'))
const [first] = failed
const broken = testResults.find(({ message }) => message)
if (status !== 0) console.info(`caught by ${first?.fullName ?? broken?.name ?? 'a file that cannot be run'}`)
process.exitCode = status === 0 ? 0 : 1
