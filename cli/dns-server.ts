import type { DnsStep } from '../dns/step.ts'
import { dnsAsker, dnsRoom } from '../engine/dns-room.ts'
import { answerLog } from '../render/answer-log.ts'
import { EXIT } from './exit-code.ts'
import { parseListen } from './listen-address.ts'
import { realUpstream } from './real-upstream.ts'
import { serveDns } from './serve-dns.ts'
import { openBuilt, type SnapshotOptions } from './snapshot.ts'
import { complain, print, Stop } from './terminal.ts'

export interface DnsServerOptions extends SnapshotOptions {
  readonly from?: string
  readonly namespace: string
  readonly listen: string
  readonly upstream?: string
}

/** `podwalk dns-server`: the cluster's DNS for real clients, over UDP and TCP, until it is interrupted. */
export function dnsServer(options: DnsServerOptions): number {
  const listen = parseListen(options.listen)
  if (!listen.ok) throw new Stop(`--listen: ${listen.reason}`, { todo: 'for example: --listen 127.0.0.1:5353' })
  const upstream = options.upstream === undefined ? undefined : parseListen(options.upstream, 53)
  if (upstream?.ok === false)
    throw new Stop(`--upstream: ${upstream.reason}`, { todo: 'for example: --upstream 9.9.9.9' })
  const built = openBuilt(options)
  const log = answerLog()
  const { room, coredns } = dnsRoom(built, {
    ...(options.quiet === true ? {} : { note: (_seat: unknown, note: unknown) => tell(log(note as DnsStep)) }),
    ...(upstream === undefined ? {} : { realUpstream: true, outside: realUpstream(upstream.value) }),
  })
  if (coredns === undefined)
    throw new Stop('the cluster has no CoreDNS pod that runs', {
      todo: 'put its Deployment (or its pods) and its ConfigMap into the input',
      code: EXIT.unknown,
    })
  const asker = dnsAsker(built, coredns, options)
  if (!asker.ok) throw new Stop(asker.reason, { todo: 'for example: --from pod/client' })
  serveDns({ room, ...asker.value, listen: listen.value }).then(
    (service) => {
      const { address } = listen.value
      print(`ready: dig @${address} -p ${service.port} NAME   (UDP and TCP; ctrl-c stops)\n`)
      process.once('SIGINT', () => process.exit(EXIT.yes))
      process.once('SIGTERM', () => process.exit(EXIT.yes))
    },
    (error: Error) => {
      complain([
        `error: cannot listen on ${options.listen}: ${error.message}`,
        '  do: choose another --listen ADDRESS:PORT',
      ])
      process.exit(EXIT.usage)
    },
  )
  return EXIT.yes
}

function tell(line: string | undefined): void {
  if (line !== undefined) print(`${line}\n`)
}
