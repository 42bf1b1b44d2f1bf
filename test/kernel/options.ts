import { MODES, type Mode } from './scenario/recipe.ts'

export const USAGE = `npm run kernel -- [NAME...] [--backend legacy|nft] [--record DIR] [--list]
npm run kernel -- --scenarios N --seed S [--mode M] [--minutes T] [--only I] [--keep DIR]

Builds labs out of real network namespaces, sends their packets, and compares every
frame, rule hit, table entry and socket event with our model. Exit code 0: no
difference; 1: a difference, or nothing compared; 2: wrong arguments, or a kernel
that cannot judge. Takes root.

  NAME         scenarios whose name holds it; all that are written by hand unless said
  --scenarios  so many labs made up from the seed, instead of those written by hand
  --seed       the seed; of the clock unless said
  --mode       only labs of this mode: ${MODES.join(', ')}
  --minutes    stop after so long
  --only       only the lab of this number (a difference names it: seed-S-I-ROUND)
  --backend    which iptables writes the rules; as the lab says, else legacy
  --record     writes what the kernel did as cases for test/kernel/replay.test.ts
  --keep       directory for the smallest scenarios that differ
  --report     writes what was compared as JSON
  --quick      leaves what differs as large as it is
  --list       names the scenarios written by hand
  --help       this`

export interface Options {
  readonly names: readonly string[]
  readonly backend: 'legacy' | 'nft' | undefined
  readonly report: string | undefined
  readonly help: boolean
  readonly quick: boolean
  readonly only: number | undefined
  readonly record: string | undefined
  readonly keep: string | undefined
  readonly list: boolean
  readonly scenarios: number
  readonly seed: number
  readonly mode: Mode | undefined
  readonly minutes: number
}

/** Reads the arguments, or says what is wrong with them. */
export function readOptions(argv: readonly string[]): Options | string {
  const values = new Map<string, string>()
  const names: string[] = []
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] ?? ''
    if (!word.startsWith('--')) names.push(word)
    else if (SWITCHES.has(word)) values.set(word, '')
    else if (WITH_VALUE.has(word)) values.set(word, argv[++i] ?? '')
    else return `unknown option ${word}`
  }
  const backend = values.get('--backend')
  if (backend !== undefined && backend !== 'legacy' && backend !== 'nft') return `--backend ${backend}: legacy or nft`
  const mode = MODES.find((one) => one === values.get('--mode'))
  if (values.has('--mode') && mode === undefined) return `--mode ${values.get('--mode')}: one of ${MODES.join(', ')}`
  const number = (option: string, fallback: number): number => Number(values.get(option) ?? fallback)
  const seed = number('--seed', Math.floor(Date.now() / 1000) % 1_000_000)
  const [scenarios, minutes] = [number('--scenarios', 0), number('--minutes', 60)]
  const only = values.has('--only') ? number('--only', 0) : undefined
  if ([seed, scenarios, minutes, only].some(Number.isNaN))
    return '--seed, --scenarios, --minutes and --only take a number'
  return {
    names,
    backend,
    record: values.get('--record'),
    keep: values.get('--keep'),
    list: values.has('--list'),
    help: values.has('--help'),
    quick: values.has('--quick'),
    report: values.get('--report'),
    only,
    scenarios: only === undefined ? scenarios : Math.max(scenarios, 1),
    seed,
    mode,
    minutes,
  }
}

const SWITCHES = new Set(['--list', '--help', '--quick'])
const WITH_VALUE = new Set(
  ['backend', 'record', 'keep', 'report', 'scenarios', 'seed', 'mode', 'minutes', 'only'].map((name) => `--${name}`),
)
