import { type Cluster, keyOf } from '../../cluster/cluster.ts'
import type { KubeNode } from '../../cluster/objects.ts'
import { formatLocation } from '../../cluster/source.ts'
import { hash32 } from '../../linux/draw.ts'
import { type IptablesTable, type Op, ROOT_NETNS } from '../../linux/op.ts'
import { formatIp, type Ip } from '../../packet/ip.ts'
import type { Mac } from '../../packet/mac.ts'
import { bitsOf } from '../../packet/prefix.ts'
import { podRoot } from '../pod/files.ts'
import { type NodeCache, nodeCacheCorefile, nodeCacheOf } from './node-cache.ts'

/**
 * What node-cache does to its node when it starts (cmd/node-cache/app/cache_app.go): a dummy device with its addresses,
 * which stays down, twelve rules for each address, and CoreDNS. ebtables rules (-setupebtables) are not modelled.
 */
export function compileNodeCache(cluster: Cluster, node: KubeNode): readonly Op[] {
  const cache = nodeCacheOf(cluster, node)
  if (!cache) return []
  const { flags } = cache
  return [
    ...(flags.setupInterface ? interfaceOps(cache, node) : []),
    ...(flags.setupIptables ? flags.localIps.flatMap((ip) => ruleOps(cache, ip)) : []),
    ...processOps(cluster, cache),
  ]
}

function originOf({ pod }: NodeCache, reason: string) {
  const source = pod.at && { source: formatLocation({ file: pod.at.file, line: pod.at.line }) }
  return { by: 'node-cache', for: `Pod ${keyOf(pod.meta)}`, reason, ...source }
}

/** MTU of a dummy device (dummy_setup of drivers/net/dummy.c takes ether_setup's). */
const DUMMY_MTU = 1500
/** The bit of an address that nobody gave out (IEEE 802). */
const LOCALLY_ADMINISTERED = 0x02 * 2 ** 40

function interfaceOps(cache: NodeCache, node: KubeNode): readonly Op[] {
  const { interfaceName: link, localIps } = cache.flags
  const place = { netns: ROOT_NETNS, origin: originOf(cache, 'the addresses that pods ask, on every node the same') }
  const mac = (LOCALLY_ADMINISTERED + hash32(`${node.meta.name} ${link}`)) as Mac
  return [
    { ...place, kind: 'link.add', name: link, mac, mtu: DUMMY_MTU, type: { kind: 'dummy' } },
    ...localIps.map((ip): Op => ({ ...place, kind: 'addr.add', link, address: { ip, length: bitsOf(ip.family) } })),
  ]
}

interface CacheRule {
  readonly table: IptablesTable
  readonly chain: string
  readonly args: string
}

/** initIptables: each is put in front, so the last stands first. */
function ruleOps(cache: NodeCache, ip: Ip): readonly Op[] {
  const { port, healthPort } = cache.flags
  const at = formatIp(ip)
  const to = { there: `-d ${at}`, port: `--dport ${port}` }
  const from = { there: `-s ${at}`, port: `--sport ${port}` }
  const both = (table: IptablesTable, chain: string, { there, port: which }: typeof to, target: string): CacheRule[] =>
    ['tcp', 'udp'].map((protocol) => ({
      table,
      chain,
      args: `${there} -p ${protocol} -m ${protocol} ${which} -j ${target}`,
    }))
  const health = (text: string): CacheRule => ({ table: 'raw', chain: 'OUTPUT', args: `${text} -j NOTRACK` })
  const rules: readonly CacheRule[] = [
    ...both('raw', 'PREROUTING', to, 'NOTRACK'),
    ...both('filter', 'INPUT', to, 'ACCEPT'),
    ...both('raw', 'OUTPUT', from, 'NOTRACK'),
    ...both('filter', 'OUTPUT', from, 'ACCEPT'),
    ...both('raw', 'OUTPUT', to, 'NOTRACK'),
    health(`-d ${at} -p tcp -m tcp --dport ${healthPort}`),
    health(`-s ${at} -p tcp -m tcp --sport ${healthPort}`),
  ]
  return rules.map(({ table, chain, args }) => ({
    kind: 'rule.insert',
    netns: ROOT_NETNS,
    family: ip.family,
    table,
    chain,
    args,
    origin: originOf(
      cache,
      `${table === 'raw' ? 'no conntrack, so no DNAT,' : 'let through what conntrack does not know'} for ${at}`,
    ),
  }))
}

/** The addresses of the Corefile's `bind` lines: all blocks of node-cache's have the same. */
const bindsOf = (corefile: string): readonly string[] => [
  ...new Set([...corefile.matchAll(/^[ \t]*bind[ \t]+(.+)$/gm)].flatMap(([, words = '']) => words.trim().split(/\s+/))),
]

function processOps(cluster: Cluster, cache: NodeCache): readonly Op[] {
  const text = nodeCacheCorefile(cluster, cache)
  if (text === undefined) return []
  const conf = `${podRoot(cache.pod)}${cache.flags.corefile}`
  const origin = originOf(cache, 'ConfigMap node-local-dns, with the addresses of this cluster put in')
  return [
    { kind: 'file.write', netns: ROOT_NETNS, path: conf, text, origin },
    {
      kind: 'process.start',
      netns: ROOT_NETNS,
      name: 'node-cache',
      program: 'coredns',
      args: { conf, startup: 'done', bind: bindsOf(text).join(' ') },
      origin,
    },
  ]
}
