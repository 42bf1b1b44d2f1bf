import { type Parsed, parsed, refused } from '../../packet/parsed.ts'
import { type Prefix, parsePrefix } from '../../packet/prefix.ts'
import { type GoObject, goBoolean, goObject, goString, mistyped, parseGoObject } from '../go-json.ts'

/** flannel's net-conf.json (pkg/subnet/config.go), IPv4 and IPv6. */
export interface NetConf {
  /** The networks of the enabled families, IPv4 first. */
  readonly networks: readonly Prefix[]
  /** `udp` where there is no Backend at all. */
  readonly backendType: string
  readonly backend: GoObject
  readonly enableNFTables: boolean
}

/** Reads net-conf.json; refuses what flanneld would refuse to start with. */
export function parseNetConf(text: string): Parsed<NetConf> {
  const json = parseGoObject(text)
  if (!json.ok) return json
  const conf = json.value
  const wrong = mistyped(conf, {
    Network: 'string',
    IPv6Network: 'string',
    EnableIPv4: 'boolean',
    EnableIPv6: 'boolean',
    EnableNFTables: 'boolean',
    Backend: 'object',
  })
  if (wrong !== undefined) return refused(wrong)
  const networks: Prefix[] = []
  for (const [enabled, name] of [
    [goBoolean(conf, 'EnableIPv4') ?? true, 'Network'],
    [goBoolean(conf, 'EnableIPv6') ?? false, 'IPv6Network'],
  ] as const) {
    if (!enabled) continue
    const written = goString(conf, name)
    if (written === undefined) return refused(`${name} is missing`)
    const network = parsePrefix(written, 'mask')
    if (!network.ok) return refused(`${name}: ${network.reason}`)
    networks.push(network.value)
  }
  const backend = goObject(conf, 'Backend')
  return parsed({
    networks,
    backendType: backend === undefined ? 'udp' : (goString(backend, 'Type') ?? ''),
    backend: backend ?? {},
    enableNFTables: goBoolean(conf, 'EnableNFTables') ?? false,
  })
}
