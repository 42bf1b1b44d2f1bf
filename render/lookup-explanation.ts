import { match } from 'ts-pattern'
import type { DnsStep } from '../dns/step.ts'
import type { Step } from '../engine/step.ts'
import { formatIp } from '../packet/ip.ts'
import { labelled } from './columns.ts'
import type { TextOptions } from './text-options.ts'

/** Everything that resolver and servers did for a lookup, in order: candidates, queries, plugins, decisions. */
export function explanationLines(steps: readonly Step[], how: TextOptions): readonly string[] {
  const told = steps.filter(isTold)
  const lines = told.flatMap((step) => {
    const { indent, label, text } = lineOf(step)
    const pad = ' '.repeat(indent)
    return labelled(`${pad}${label}`, text, { indent: indent + LABEL, width: how.width })
  })
  return ['', how.paint.heading('STEP BY STEP'), ...lines]
}

const isDns = (step: Step): step is Step & DnsStep => step.kind.startsWith('dns.')

/** That a server has started, and what does not touch answers, is left out. */
const isTold = (step: Step): step is Step & DnsStep =>
  isDns(step) && !(step.kind === 'dns.server' && step.event !== 'failed')

/** Room for the longest label, `loadbalance`, and a blank. */
const LABEL = 12

interface Line {
  readonly indent: number
  readonly label: string
  readonly text: string
}

const at = (line: { readonly file: string; readonly line: number } | undefined): string =>
  line === undefined ? '' : ` (${line.file}:${line.line})`

/** What the resolver does stands left; what a server does is set in. */
const lineOf = (step: DnsStep): Line =>
  match(step)
    .with({ kind: 'dns.lookup' }, ({ resolver, name, types }) =>
      resolverLine('lookup', `${resolver} looks up ${name} ${types.join(' ')}`),
    )
    .with({ kind: 'dns.candidate' }, ({ name, why }) => resolverLine('next', `${name}: ${why}`))
    .with({ kind: 'dns.source' }, ({ source, found }) =>
      resolverLine('source', `${source}: ${found.length === 0 ? 'nothing' : found.join(' ')}`),
    )
    .with({ kind: 'dns.query' }, ({ question, server, transport, attempt }) =>
      resolverLine(
        'query',
        `${question.name} ${question.type} to ${formatIp(server)} by ${transport.toUpperCase()}${attempt > 1 ? `, attempt ${attempt}` : ''}`,
      ),
    )
    .with({ kind: 'dns.reply' }, ({ question, rcode, answers, truncated, size }) =>
      resolverLine(
        'reply',
        `${question.name} ${question.type}: ${rcode}, ${answers.length} ${answers.length === 1 ? 'record' : 'records'}, ${size} octets${truncated ? ', truncated' : ''}`,
      ),
    )
    .with({ kind: 'dns.noReply' }, ({ server, reason }) => resolverLine('silence', `${formatIp(server)}: ${reason}`))
    .with({ kind: 'dns.decision' }, ({ name, result, next }) => resolverLine('so', `${name}: ${result}; ${next}`))
    .with({ kind: 'dns.result' }, ({ addresses, error }) =>
      resolverLine('result', error ?? (addresses.length === 0 ? 'no address' : addresses.map(formatIp).join(' '))),
    )
    .with({ kind: 'dns.server' }, ({ text }) => serverLine('server', text))
    .with({ kind: 'dns.request' }, ({ server, question, from }) =>
      serverLine('asked', `${server} for ${question.name} ${question.type} from ${formatIp(from)}`),
    )
    .with({ kind: 'dns.plugin' }, ({ plugin, action, detail, line, object }) =>
      serverLine(
        plugin,
        `${action}${detail === '' ? '' : `: ${detail}`}${object === undefined ? '' : `, from ${object}`}${at(line)}`,
      ),
    )
    .with({ kind: 'dns.answer' }, ({ rcode, by, size }) =>
      serverLine('answer', `${rcode} by ${by ?? 'the server itself'}, ${size} octets`),
    )
    .exhaustive()

const resolverLine = (label: string, text: string): Line => ({ indent: 0, label, text })
const serverLine = (label: string, text: string): Line => ({ indent: 3, label, text })
