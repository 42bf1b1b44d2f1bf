import { decodeMessage } from '../dns/message-decode.ts'
import type { Program } from '../linux/process.ts'
import { parseIp } from '../packet/ip.ts'
import { describePeer } from './client.ts'
import type { UnknownStep } from './step.ts'

/**
 * A resolver that the nodes use and nobody described: it takes queries and does not answer, and says that its answer
 * is not known, so that no verdict is built on its silence. Argument `at`: the one address it listens at.
 */
export const unknownResolver: Program<undefined, UnknownStep> = {
  name: 'unknown-resolver',
  start({ args }) {
    const at = parseIp(args.at ?? '')
    const place = at.ok ? { ip: at.value, port: 53 } : { port: 53 }
    return {
      state: undefined,
      syscalls: [
        { kind: 'socket', fd: 3, family: at.ok ? at.value.family : 6, type: 'udp' },
        { kind: 'bind', fd: 3, ...place },
      ],
    }
  },
  step(state, event) {
    if (event.kind !== 'data') return { state, syscalls: [] }
    const query = decodeMessage(event.bytes)
    const name = query.ok ? query.value.questions[0]?.name : undefined
    const address =
      event.to === undefined ? 'the upstream resolver' : `the resolver ${describePeer({ ...event.to, port: 0 })}`
    return {
      state,
      syscalls: [],
      notes: [
        {
          kind: 'lab.unknown',
          what: `what ${address} answers for ${name ?? 'a query'} is not in the input`,
          detail: 'give its records in spec.upstreamDNS of a Lab document',
        },
      ],
    }
  },
}
