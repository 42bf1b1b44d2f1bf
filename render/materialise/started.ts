import type { Op } from '../../linux/op.ts'
import type { Place } from './lab-machine.ts'

/** What a namespace's `process.start` ops become. */
export interface Started {
  readonly servers: readonly Server[]
  readonly forwarders: readonly Forwarder[]
  readonly notRun: readonly (Place & { readonly program: string; readonly name: string })[]
}

/** A line of servers.json. */
export interface Server {
  readonly netns: string
  readonly name: string
  readonly tcp: readonly number[]
  readonly udp: readonly number[]
  readonly answers: 'echo' | 'silent'
}

/** A process of flanneld-udp.py: its arguments, as the program of the model has them. */
export interface Forwarder {
  readonly netns: string
  readonly device: string
  readonly address: string
  readonly listen: string
  readonly routes: readonly string[]
}

/** Programs with a stand-in, and those without. */
export function startedIn(ops: readonly Op[], place: Place, netns: string): Started {
  const servers: Server[] = []
  const forwarders: Forwarder[] = []
  const notRun: (Place & { program: string; name: string })[] = []
  for (const op of ops) {
    if (op.kind !== 'process.start') continue
    const { program, name, args } = op
    if (program === 'listener')
      servers.push({
        netns,
        name: args.name ?? name,
        tcp: portsOf(args.tcp),
        udp: portsOf(args.udp),
        answers: args.answers === 'silent' ? 'silent' : 'echo',
      })
    else if (program === 'flanneld-udp')
      forwarders.push({
        netns,
        device: args.device ?? '',
        address: args.address ?? '',
        listen: args.listen ?? '',
        routes: (args.routes ?? '').split(' ').filter((route) => route !== ''),
      })
    else notRun.push({ ...place, program, name })
  }
  return { servers, forwarders, notRun }
}

const portsOf = (list: string | undefined): readonly number[] =>
  list === undefined || list === '' ? [] : list.split(',').map(Number)
