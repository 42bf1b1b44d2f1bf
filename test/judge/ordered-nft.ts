import type { NftTable } from '../../linux/netfilter/nftables/ruleset.ts'

/** The order in which recorded texts are kept (`cases/kube-proxy/README.md`): kube-proxy's own is random. */

/** Chains and affinity sets of service ports by name of the port; endpoints of one by their address and port. */
export function orderedTables(tables: readonly NftTable[]): readonly NftTable[] {
  return tables.map((table) => ({
    ...table,
    sets: ordered(table.sets, () => false),
    chains: ordered(table.chains, (chain) => chain.lines.length === 0),
  }))
}

/** What belongs to no service port stays in front, as it is; empty chains of endpoints come last, by name. */
function ordered<T>(byName: ReadonlyMap<string, T>, isEmpty: (value: T) => boolean): ReadonlyMap<string, T> {
  const own = [...byName].filter(([name]) => !name.includes('/'))
  const ofServices = [...byName]
    .filter(([name]) => name.includes('/'))
    .map(([name, value]) => ({ name, value, key: chainKey(name, isEmpty(value)) }))
    .sort((x, y) => compareKeys(x.key, y.key))
  return new Map([...own, ...ofServices.map(({ name, value }) => [name, value] as const)])
}

const KINDS = ['affinity', 'endpoint', 'service', 'local', 'external', 'firewall']

/** `endpoint-HASH-ns/svc/tcp/port__10.0.0.1/80`. */
function chainKey(name: string, empty: boolean): readonly (string | number)[] {
  const [, kind = '', base = ''] = /^([a-z]+)-[A-Z2-7]{8}-(.*)$/.exec(name) ?? []
  const [port = '', endpoint = ''] = base.split('__')
  const [namespace, service, protocol = '', portName = ''] = port.split('/')
  const named = portName === '' ? `${namespace}/${service}` : `${namespace}/${service}:${portName}`
  const stale = empty && kind === 'endpoint'
  return [named, protocol, KINDS.indexOf(kind), stale ? 1 : 0, stale ? name : hostPort(endpoint)]
}

function hostPort(endpoint: string): string {
  const [ip = '', port = ''] = endpoint.split('/')
  const six = /[0-9a-f]*\.[0-9a-f]*\.\.|(\.[0-9a-f]+){4}/.test(ip)
  return six ? `[${ip.replaceAll('.', ':')}]:${port}` : `${ip}:${port}`
}

function compareKeys(x: readonly (string | number)[], y: readonly (string | number)[]): number {
  for (const [i, one] of x.entries()) {
    const other = y[i] ?? ''
    if (one !== other) return one < other ? -1 : 1
  }
  return 0
}

const OBJECTS = ['table', 'chain', 'set', 'map', 'rule', 'element']

/** Lines by family, type and name of the object; those of one object keep their order, elements are sorted. */
export function orderedTransaction(lines: readonly string[]): string {
  return lines
    .map((line, i) => ({ line, key: lineKey(line, i) }))
    .sort((x, y) => compareKeys(x.key, y.key))
    .map(({ line }) => `${line}\n`)
    .join('')
}

function lineKey(line: string, index: number): readonly (string | number)[] {
  const [verb = '', object = '', family = '', , name = ''] = line.split(' ')
  const elements = object === 'element'
  const key = elements ? (/\{ ([^}]*?)(?: comment| :| \})/.exec(line)?.[1] ?? '') : ''
  return [family, OBJECTS.indexOf(object), object === 'table' ? '' : name, elements ? `${verb} ${key}` : '', index]
}
