import { join } from 'node:path'
import { withConfigMap } from '../../cluster/changed.ts'
import { query } from '../../dns/message.ts'
import { encodeMessage } from '../../dns/message-encode.ts'
import { type Built, build } from '../../engine/build.ts'
import { corefileMap } from '../../engine/coredns-pods.ts'
import { dnsAsker, dnsRoom } from '../../engine/dns-room.ts'
import { planNames } from '../../engine/name-plan.ts'
import { must } from '../../packet/parsed.ts'
import { ROOT } from '../command-line.ts'
import { openLab } from '../labs.ts'
import { loadServer, type ServerLoad } from './dns-server-load.ts'

const LAB = 'textbook-flannel-vxlan'
/** One A record of the cluster. */
const QUERY = must(encodeMessage(query(0x1234, { name: 'my-nginx.default.svc.cluster.local.', type: 'A' })))

/** The kubernetes plugin and nothing else. */
const ALONE = '.:53 {\n    kubernetes cluster.local\n}\n'

/** A Corefile, and what the real CoreDNS 1.15 answers with it in a second of its processor's time, over UDP. */
export const DNS_COREFILES = [
  { what: "kubeadm's Corefile", corefile: undefined, real: '24,300 to 26,900' },
  { what: 'kubernetes plugin alone', corefile: ALONE, real: '50,900 to 57,000' },
] as const

/** Answers in a second of the processor's time, from octets to octets in one process. */
export function answersInProcess(corefile: string | undefined, answers = 100_000): number {
  const built = withCorefile(openLab(LAB), corefile)
  const { room, coredns } = dnsRoom(built)
  if (coredns === undefined) throw new Error('the lab has no CoreDNS')
  const { asker, server } = must(dnsAsker(built, coredns, { from: 'pod/client' }))
  let heard = 0
  room.admit(asker, { datagram: () => void heard++ })
  const ask = (count: number): void => {
    for (let i = 0; i < count; i++) {
      room.datagram({ ip: asker, port: 1024 + (i % 60_000) }, server, QUERY)
      room.settle()
    }
  }
  ask(answers / 5)
  heard = 0
  const before = process.cpuUsage()
  ask(answers)
  const { user, system } = process.cpuUsage(before)
  return Math.round(heard / ((user + system) / 1e6))
}

function withCorefile(built: Built, corefile: string | undefined): Built {
  const map = corefileMap(built.cluster)
  if (map === undefined || corefile === undefined) return built
  return build(withConfigMap(built.cluster, { ...map, data: { Corefile: corefile } }))
}

/** `podwalk dns-server`, the built one, with kubeadm's Corefile and no line for each query. */
export const answersOverUdp = (): Promise<ServerLoad> =>
  loadServer({
    command: [
      ...[process.execPath, join(ROOT, 'dist', 'podwalk.mjs')],
      ...['dns-server', '--lab', LAB, '--from', 'pod/client', '-q', '--listen', '127.0.0.1:0'],
    ],
    query: QUERY,
    seconds: 4,
    window: 100,
  })

export interface PlanBench {
  readonly names: number
  readonly cpuSeconds: number
}

/** Names of all sorts, for every ndots, with the three libraries that `--plan` takes. */
export function planBench(count = 10_000): PlanBench {
  const built = openLab(LAB)
  const pod = built.cluster.pods.find(({ meta }) => meta.name === 'client')
  if (pod === undefined) throw new Error('the lab has no client')
  const sorts = [
    (i: number) => `svc-${i}`,
    (i: number) => `host-${i}.example.com`,
    (i: number) => `svc-${i}.ns-${i % 50}`,
  ]
  const names = Array.from({ length: count }, (_, i) => sorts[i % sorts.length]?.(i) ?? '')
  const before = process.cpuUsage()
  const plan = planNames(built, pod, { names: [...names, 'my-nginx'], resolvers: ['glibc', 'musl', 'go'] })
  if (plan === undefined || plan.names.length !== count + 1) throw new Error('not planned')
  const { user, system } = process.cpuUsage(before)
  return { names: count, cpuSeconds: (user + system) / 1e6 }
}
