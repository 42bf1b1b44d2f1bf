import { execFileSync, spawnSync } from 'node:child_process'
import { cpus } from 'node:os'
import { table } from '../../render/columns.ts'
import { ROOT } from '../command-line.ts'
import { answersInProcess, answersOverUdp, DNS_COREFILES, planBench } from './dns.ts'
import { benchFirstWalk, PROXY_MODES } from './first-walk.ts'
import { benchFrames } from './frames.ts'
import { benchIptablesText } from './iptables-text.ts'
import { benchNftText } from './nft-text.ts'
import { benchReading } from './reading.ts'
import { benchWalks } from './walks.ts'

/** `npm run bench [-- NAME]`: speeds, each with what we aim at. Nothing is asserted: a busy machine is slower. */

type Row = readonly [name: string, value: string, aim: string]

const BENCHES: Readonly<Record<string, () => readonly Row[] | Promise<readonly Row[]>>> = {
  start: () => [
    ['podwalk --help', `${startMilliseconds(['--help'])} ms`, 'under 150 ms'],
    [
      'from start to a printed trace',
      `${startMilliseconds(['trace', '--from', 'pod/client', '--to', 'http://my-nginx'])} ms`,
      'under 400 ms',
    ],
  ],
  walks: () => {
    const { hopsPerSecond, microsecondsPerWalk, walks } = median(
      () => benchWalks(),
      (run) => run.hopsPerSecond,
    )
    return [
      [`hops a second, full trace, ${walks} walks`, hopsPerSecond.toLocaleString('en'), '50,000'],
      ['one conversation, name to reply', `${microsecondsPerWalk} us`, ''],
    ]
  },
  rules: () => {
    const run = median(
      () => benchIptablesText(),
      ({ milliseconds }) => milliseconds,
    )
    const seconds = run.milliseconds / 1000
    return [
      [
        'iptables text, 10,000 services x 10',
        `${Math.round(run.milliseconds)} ms of the processor, ${Math.round(run.megabytes)} MB`,
        'under 1,000 ms',
      ],
      ['rules compiled a second', Math.round(run.rules / seconds).toLocaleString('en'), ''],
      ...NFT_RELEASES.flatMap(nftRows),
    ]
  },
  first: () =>
    PROXY_MODES.map((mode) => {
      const { buildMilliseconds, firstMilliseconds, laterMilliseconds } = benchFirstWalk(mode)
      return [
        `first walk among 10,000 services x 10, ${mode}`,
        `${firstMilliseconds.toFixed(1)} ms of the processor, later ${laterMilliseconds.toFixed(1)} ms; all machines built in ${Math.round(buildMilliseconds)} ms`,
        'under 10 ms',
      ]
    }),
  reading: () =>
    benchReading().map(({ name, megabytes, seconds, cpuSeconds, memory }) => [
      `${name}, ${megabytes} MB`,
      `${seconds.toFixed(1)} s (${cpuSeconds.toFixed(1)} s of the processor), ${memory} MB`,
      '4 s, 300 MB',
    ]),
  dns: async () => {
    const { perCpuSecond } = await answersOverUdp()
    const plan = planBench()
    return [
      ...DNS_COREFILES.map(({ what, corefile, real }): Row => {
        const answers = median(
          () => answersInProcess(corefile),
          (each) => each,
        )
        return [
          `DNS answers a CPU second, ${what}, in process`,
          answers.toLocaleString('en'),
          `50,000; CoreDNS ${real}`,
        ]
      }),
      [
        "DNS answers a CPU second, kubeadm's Corefile, dns-server over UDP",
        perCpuSecond.toLocaleString('en'),
        `25,000; CoreDNS ${DNS_COREFILES[0].real}`,
      ],
      [
        `dns --plan, ${plan.names.toLocaleString('en')} names, 3 resolvers`,
        `${plan.cpuSeconds.toFixed(1)} s of the processor`,
        'under 10 s',
      ],
    ]
  },
  frames: () =>
    benchFrames().map(({ frame, octets, emitNs, parseNs, lengthNs }) => [
      `${frame}, ${octets} octets`,
      `emit ${emitNs} ns, parse ${parseNs} ns, length ${lengthNs} ns`,
      'emit about 1,000 ns',
    ]),
}

/** The releases whose tables differ most: endpoints are chains in the first, and elements of maps in the second. */
const NFT_RELEASES = ['v1.35.4', 'v1.36.3']

function nftRows(release: string): readonly Row[] {
  const run = median(
    () => benchNftText(release),
    ({ milliseconds }) => milliseconds,
  )
  return [
    [
      `nft list text ${release}, 10,000 services x 10`,
      `${run.milliseconds} ms of the processor, ${Math.round(run.megabytes)} MB`,
      'under 2,000 ms',
    ],
    [`nft node ${release}, ready to be walked`, `${run.buildMilliseconds} ms of the processor`, 'under 500 ms'],
  ]
}

const RUNS = 5

/** Wall time of the built command line, the median of several starts. */
function startMilliseconds(args: readonly string[]): number {
  const run = (): number => {
    const start = performance.now()
    spawnSync(process.execPath, ['dist/podwalk.mjs', ...args], { cwd: ROOT })
    return performance.now() - start
  }
  return Math.round(median(run, (milliseconds) => milliseconds))
}

function median<T>(run: () => T, by: (result: T) => number): T {
  const results = Array.from({ length: RUNS }, run).sort((x, y) => by(x) - by(y))
  const middle = results[RUNS >> 1]
  if (middle === undefined) throw new Error('no run')
  return middle
}

const wanted = process.argv[2]
const names = Object.keys(BENCHES).filter((name) => wanted === undefined || name === wanted)
if (names.length === 0) {
  console.error(`there is no bench ${wanted}; known are ${Object.keys(BENCHES).join(', ')}`)
  process.exit(2)
}
execFileSync(process.execPath, ['build.mjs'], { cwd: ROOT })
console.log(`node ${process.version}, ${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}; medians of ${RUNS}`)
const rows: Row[] = []
for (const name of names) rows.push(...((await BENCHES[name]?.()) ?? []))
console.log(table([['WHAT', 'RESULT', 'AIM'], ...rows]).join('\n'))
