import { EXCEPTIONS } from './exceptions.ts'
import type { reportOf } from './report.ts'

/** What `npm run kernel -- --report FILE` writes. */
export type KernelReport = ReturnType<typeof reportOf>

/** What `npm run sabotage` writes. */
export interface SabotageResults {
  readonly groups: readonly {
    readonly name: string
    readonly changes: number
    readonly caught: number
    readonly outcomes: readonly {
      readonly name: string
      readonly file: string
      readonly breaks: string
      readonly caught: boolean
      readonly judge: string | null
    }[]
  }[]
}

export interface RecordedCases {
  readonly count: number
  /** Scenarios by mode; `by hand` for those that have none. */
  readonly modes: ReadonlyMap<string, number>
  /** Kernel and tools that they were recorded with. */
  readonly versions: readonly string[]
}

/** What no lab of this kernel can show, and what judges it instead. */
const ELSEWHERE: readonly (readonly [what: string, why: string, instead: string])[] = [
  [
    'kube-proxy in ipvs mode',
    'needs the ip_vs module',
    'the tables that the real kube-proxy writes; the way of a packet by tests after the sources of the kernel alone',
  ],
  ['calico over IPIP', 'needs the ipip module', 'nothing: not computed, and said so'],
  ['WireGuard', 'needs the wireguard module', 'nothing: not computed, and said so'],
  ['accounting by nfacct', 'needs the nfnetlink_acct module', 'unit tests; no verdict depends on it'],
  ['loss and delay on a cable', 'needs netem', 'nothing: cables lose nothing, unless a lab says so'],
  [
    'timers longer than a tenth of a second',
    'a judge that waits is slow: ARP ageing, retransmissions, reassembly and conntrack timeouts',
    'unit tests on the virtual clock, and a few scenarios written by hand that are watched for seconds',
  ],
  ['BGP', 'routes are given as BIRD would make them', 'routes recorded from real BIRD (test/cases/calico-bgp)'],
  [
    'CoreDNS, resolvers',
    'programs, not kernel',
    'replies and query sequences recorded from the real ones (test/cases)',
  ],
  [
    'cards and their offloads',
    'every cable is a veth pair with offloads off',
    'nothing: checksums, segments and hashes of hardware are not modelled',
  ],
]

/** docs/fidelity.md. */
export function fidelityText(
  report: KernelReport,
  sabotage: SabotageResults | undefined,
  cases: RecordedCases,
): string {
  return `${[
    '# Fidelity',
    `What podwalk says of a packet is compared with what a real kernel does with it: the same labs are built out of network
namespaces, real packets are sent, and every frame on every interface with all its fields, every rule hit, every entry
of conntrack, neighbours and forwarding databases, and what sockets were told must be equal, in order. This page is
written by \`npm run fidelity\`.`,
    '## The last long run',
    runText(report),
    '## What the labs were about',
    featuresText(report),
    '## Exceptions',
    exceptionsText(report),
    '## Recorded cases',
    casesText(cases),
    '## What is judged by something else',
    elsewhereText(report),
    '## Sabotage',
    sabotageText(sabotage),
  ].join('\n\n')}\n`
}

function runText(report: KernelReport): string {
  const { compared, versions } = report
  const rows: readonly (readonly [string, string | number])[] = [
    ['command', `\`npm run kernel -- --scenarios ${report.labs} --seed ${report.seed}\``],
    ['kernel', versions.kernel ?? ''],
    ['tools', [versions.iproute2, versions.iptables, versions.nft, versions.ipset].filter(Boolean).join('; ')],
    ['labs', report.labs],
    ['rounds of flows, each judged by itself', report.scenarios],
    ['probes', report.probes],
    ['frames', compared.frames],
    ['rule hits', compared.rules],
    ['socket events', compared.socketEvents],
    ['table entries', compared.entries],
    ['random choices fed from the kernel', report.fed],
    ['seconds', report.seconds],
    ['differences', `**${report.differences}**`],
    ['rounds that differed once and not when asked again', report.notRepeated],
  ]
  return table(['', ''], rows)
}

const featuresText = ({ features }: KernelReport): string =>
  table(
    ['labs with', ''],
    Object.entries(features).map(([name, count]) => [name, count]),
  )

function exceptionsText({ exceptions }: KernelReport): string {
  const rows = Object.entries(EXCEPTIONS).map(
    ([name, reason]) => [name, exceptions[name as keyof typeof EXCEPTIONS] ?? 0, reason] as const,
  )
  return `Where the two sides may differ, each by one rule:\n\n${table(['exception', 'used', 'reason'], rows)}`
}

function casesText({ count, modes, versions }: RecordedCases): string {
  const list = [...modes].sort(([x], [y]) => (x < y ? -1 : 1)).map(([mode, n]) => `${mode} ${n}`)
  return `${count} cases in \`test/cases/kernel\` hold a lab, its flows, and what the kernel did (${versions.join('; ')}). They are
replayed without root by \`npm test\`, and a test holds that together they show every kind of step, every end of a packet
that a kernel can show, and every mode: ${list.join(', ')}.`
}

function elsewhereText({ missing }: KernelReport): string {
  const absent = missing.length === 0 ? 'nothing that was asked for' : missing.map((text) => `\`${text}\``).join(', ')
  return `${table(['what', 'why', 'judged by'], ELSEWHERE)}\n\nMissing on that kernel: ${absent}.`
}

function sabotageText(results: SabotageResults | undefined): string {
  if (results === undefined) return 'No results yet: `npm run sabotage`.'
  const groups = results.groups.map(({ name, changes, caught }) => [name, changes, caught] as const)
  const missed = results.groups.flatMap(({ outcomes }) => outcomes.filter(({ caught }) => !caught))
  const rows = missed.map(({ name, file, breaks }) => [name, `\`${file}\``, breaks] as const)
  const rest = rows.length === 0 ? 'None was missed.' : `Missed:\n\n${table(['change', 'file', 'breaks'], rows)}`
  return `\`npm run sabotage\` breaks the product on purpose, one line at a time, and asks the judges:\n\n${table(
    ['part', 'changes', 'caught'],
    groups,
  )}\n\n${rest}`
}

function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]): string =>
    `| ${cells.map((cell) => String(cell).replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}
