import type { Pod } from '../cluster/objects.ts'
import { podNetns } from '../cni/pod-netns.ts'
import { nodeResolvConf, podRoot } from '../dns/pod/files.ts'
import { podResolvConf } from '../dns/pod/resolv-conf.ts'
import { type LookupProgramState, lookupProgram } from '../dns/resolver/program.ts'
import type { ResolverName } from '../dns/resolver/registry.ts'
import type { DnsStep } from '../dns/step.ts'
import { ROOT_NETNS } from '../linux/op.ts'
import type { Program } from '../linux/process.ts'
import { formatIp, type Ip, isLinkLocal } from '../packet/ip.ts'
import type { Built } from './build.ts'
import { dnsRoom, ownAddresses } from './dns-room.ts'
import { type AskAtOnce, addressesAt, classOfName, type FoundPlaces, type NameClass, placesOf } from './name-classes.ts'
import { withNdots } from './name-fixes.ts'
import type { ProgramRoom, Seat } from './program-room.ts'
import { rememberReplies } from './remembered-replies.ts'

/** What a lookup in a plan came to. */
export interface PlannedLookup {
  readonly queries: number
  /** Its addresses, or its error. */
  readonly result: string
}

/** A pod whose resolver may be set as one likes. The programs talk directly, without packets. */
export interface PlanningPod {
  /** As the pod's resolv.conf has it. */
  readonly ndots: number
  readonly lookUp: (resolver: ResolverName, name: string, ndots: number) => PlannedLookup
  /** Resolvers ask for one name much the same: replies are remembered until the next. */
  readonly forget: () => void
}

/** Every name is looked up in earnest, or only the first of each class of names that all resolvers treat alike. */
export type PlanPace = 'eachName' | 'eachClass'

/** `undefined`: no CoreDNS of the cluster runs. */
export function planningPod(built: Built, pod: Pod, pace: PlanPace): PlanningPod | undefined {
  const earnest = lookupInRoom(built, pod)
  if (earnest === undefined || pace === 'eachName') return earnest
  const { askAtOnce, conf, hosts } = earnest
  if (askAtOnce === undefined) return earnest
  const place = { search: conf.search, hosts }
  const classes = new Map<string, { readonly queries: number; readonly places: FoundPlaces; readonly result: string }>()
  let ofName: { readonly name: string; readonly own: NameClass | undefined } | undefined
  const classOf = (name: string): NameClass | undefined => {
    if (ofName?.name !== name) ofName = { name, own: classOfName(name, place, askAtOnce) }
    return ofName.own
  }
  return {
    ndots: earnest.ndots,
    forget: earnest.forget,
    lookUp: (resolver, name, ndots) => {
      const own = classOf(name)
      if (own === undefined) return earnest.lookUp(resolver, name, ndots)
      const key = `${resolver} ${ndots} ${own.key}`
      const known = classes.get(key)
      if (known !== undefined)
        return { queries: known.queries, result: known.places ? addressesAt(own.found, known.places) : known.result }
      const found = earnest.lookUp(resolver, name, ndots)
      const places = found.isAddresses ? placesOf(own, found.result) : undefined
      if (!found.isAddresses || places !== undefined) classes.set(key, { ...found, places })
      return found
    },
  }
}

interface EarnestPod extends PlanningPod {
  readonly lookUp: (
    resolver: ResolverName,
    name: string,
    ndots: number,
  ) => PlannedLookup & { readonly isAddresses: boolean }
  /** Undefined: the pod does not ask CoreDNS alone. */
  readonly askAtOnce: AskAtOnce | undefined
  readonly conf: { readonly search: readonly string[] }
  readonly hosts: string
}

function lookupInRoom(built: Built, pod: Pod): EarnestPod | undefined {
  let queries = 0
  let forget = (): void => undefined
  const { room, coredns } = dnsRoom(built, {
    quietServers: true,
    insteadOf: (server) => {
      const remembering = rememberReplies(server)
      forget = remembering.forget
      return remembering.program
    },
    note: (_seat, note) => {
      if ((note as DnsStep).kind === 'dns.query') queries++
    },
  })
  const host = built.blueprint.hosts.get(pod.spec.nodeName)?.()
  const config = host?.netns.get(podNetns(pod))
  if (coredns === undefined || config === undefined) return undefined
  const root = podRoot(pod)
  const path = `${root}/etc/resolv.conf`
  const text = config.files.get(path) ?? ''
  const nodeText = nodeResolvConf(built.cluster, host?.netns.get(ROOT_NETNS)?.files ?? new Map())
  // Link-local ones count for AI_ADDRCONFIG: with one, AAAA is asked for too.
  const addresses = ownAddresses(config)
  const views = new Map<number, ReadonlyMap<string, string>>()
  const filesWith = (ndots: number): ReadonlyMap<string, string> => {
    const known = views.get(ndots)
    if (known !== undefined) return known
    const files = new Map(config.files).set(path, podResolvConf(built.cluster, withNdots(pod, ndots), nodeText))
    views.set(ndots, files)
    return files
  }
  return {
    ndots: ndotsOf(text),
    forget,
    askAtOnce: askAtOnceIn(room, { addresses, servers: wordsOf(text, 'nameserver'), coredns }),
    conf: { search: wordsOf(text, 'search') },
    hosts: config.files.get(`${root}/etc/hosts`) ?? '',
    lookUp: (resolver, name, ndots) => {
      queries = 0
      const program = lookupProgram(resolver) as Program
      const args = { name, ...(root === '' ? {} : { root }) }
      const place = { host: pod.spec.nodeName, netns: config.name, args, files: filesWith(ndots) }
      const asking = room.seat(program, { ...place, addresses, reachedAt: addresses })
      room.settle()
      for (let due = room.due(); asking.exitCode === undefined && due !== undefined; due = room.due()) room.advance(due)
      const { outcome } = (asking.state ?? {}) as Partial<LookupProgramState>
      room.leave(asking)
      return { queries, result: resultOf(outcome), isAddresses: outcome?.ok === true }
    },
  }
}

/** Asks as the pod would, and takes what comes before time goes on. */
function askAtOnceIn(
  room: ProgramRoom,
  at: { readonly addresses: readonly Ip[]; readonly servers: readonly string[]; readonly coredns: Seat },
): AskAtOnce | undefined {
  const [text, ...others] = at.servers
  const server = at.coredns.view.reachedAt.find((ip) => formatIp(ip) === text)
  const from = at.addresses.find((ip) => ip.family === server?.family && !isLinkLocal(ip))
  if (server === undefined || from === undefined || others.length > 0) return undefined
  let heard: Uint8Array | undefined
  room.admit(from, {
    datagram: (port, bytes) => {
      if (port === ASKING_PORT) heard = bytes
    },
  })
  return (bytes) => {
    heard = undefined
    room.datagram({ ip: from, port: ASKING_PORT }, { ip: server, port: 53 }, bytes)
    room.settle()
    return heard
  }
}

/** Of no program: those in the room have ports from 32,768 on. */
const ASKING_PORT = 1023

/** resolv.conf(5): of `search` the last line counts, of `nameserver` every one. */
const wordsOf = (text: string, keyword: 'search' | 'nameserver'): readonly string[] => {
  const lines = [...text.matchAll(new RegExp(`^${keyword}\\s+(.*)$`, 'gm'))].map(
    (line) => line[1]?.trim().split(/\s+/) ?? [],
  )
  return keyword === 'search' ? (lines.at(-1) ?? []) : lines.flat()
}

/** The last one counts; 1 where none is said. */
const ndotsOf = (text: string): number => Number([...text.matchAll(/^options.*\bndots:(\d+)/gm)].at(-1)?.[1] ?? 1)

const resultOf = (outcome: LookupProgramState['outcome']): string => {
  if (outcome === undefined) return 'no answer'
  return outcome.ok ? outcome.addresses.map(formatIp).sort().join(' ') : outcome.error
}
