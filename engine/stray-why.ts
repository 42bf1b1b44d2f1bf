import { keyOf } from '../cluster/cluster.ts'
import { formatIp, type Ip, ipKey, sameIp } from '../packet/ip.ts'
import { formatSocket } from '../packet/text.ts'
import type { StrayFlow } from '../proxy/stray-flows.ts'
import type { Built } from './build.ts'
import type { Conversation } from './conversation.ts'
import type { Why } from './why.ts'
import type { MachineChange, WorldChange } from './world-change.ts'

/** Why a question that was asked before the change does not get the answer that a new one would. */
export function strayWhy(built: Built, { request }: Conversation, { machines }: WorldChange): readonly Why[] {
  if (request === undefined) return []
  const on = new Set(request.hops.map(({ host }) => host))
  return machines
    .filter(({ name }) => on.has(name))
    .flatMap((machine) => [...trackedWhy(built, machine, request.sent), ...virtualWhy(built, machine, request)])
}

type Request = NonNullable<Conversation['request']>

function trackedWhy(built: Built, { name, proxy, strays }: MachineChange, sent: Request['sent']): readonly Why[] {
  if (proxy?.mode === 'ipvs') return []
  const { payload, src, dst } = sent
  const stray = strays.find(({ entry: { original } }) => {
    const ports =
      'srcPort' in payload ? original.srcKey === payload.srcPort && original.dstKey === payload.dstPort : false
    return ports && sameIp(original.src, src) && sameIp(original.dst, dst)
  })
  if (stray === undefined) return []
  const { reply } = stray.entry
  const where = !sameIp(reply.src, dst)
    ? `${formatSocket(reply.src, reply.srcKey)}, ${leadsTo(built, stray, reply.src)}`
    : `${formatIp(dst)} itself, as when no rule translated it`
  return [
    {
      code: 'stale-flow',
      text: `conntrack on ${name} still has the flow of the first question, so this packet meets no Service rule and goes to ${where}; ${stray.why}`,
    },
  ]
}

function leadsTo(built: Built, { leadsTo: to, service }: StrayFlow, ip: Ip): string {
  const pod = built.cluster.index.podByIp.get(ipKey(ip))
  switch (to) {
    case 'goneService':
      return `although Service port ${service} is gone`
    case 'terminatingEndpoint':
      return `which is terminating`
    case 'unreadyEndpoint':
      return `which is not ready`
    default:
      return pod === undefined ? 'which no pod has any more' : `which is pod ${keyOf(pod.meta)}, no endpoint any more`
  }
}

/** A virtual server sends the packets of a connection that it knows where they went before. */
function virtualWhy(built: Built, { name, after }: MachineChange, { hops }: Request): readonly Why[] {
  for (const { host, steps } of hops)
    for (const step of steps) {
      if (host !== name || step.kind !== 'ipvs.connection' || step.by === 'scheduler') continue
      const { destination, service } = step
      const now = after.netfilter.ipvs.services.find(
        (one) => one.protocol === service.protocol && one.port === service.port && sameIp(one.address, service.address),
      )
      const isThere = now?.destinations.some(
        ({ address, port }) => port === destination.port && sameIp(address, destination.address),
      )
      if (isThere === true) continue
      const pod = built.cluster.index.podByIp.get(ipKey(destination.address))
      const end = formatSocket(destination.address, destination.port)
      const who = pod === undefined ? 'which no pod has any more' : `pod ${keyOf(pod.meta)}`
      return [
        {
          code: 'stale-flow',
          text: `the virtual server on ${name} knows this connection, and sends it on to ${end}, ${who}: kube-proxy gave that real server weight 0, and deletes it when its last connection has ended`,
        },
      ]
    }
  return []
}
