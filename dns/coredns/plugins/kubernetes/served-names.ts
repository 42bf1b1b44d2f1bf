import { formatIp, type Ip } from '../../../../packet/ip.ts'
import { isSubdomain, joinName, lowerName } from '../../../name.ts'
import { reverseName } from '../../../resolver/reverse-name.ts'
import { isReverse } from '../../zones.ts'
import { endpointName, type KubernetesData, readyAddresses } from './records.ts'

type Named = { readonly name: string; readonly types: readonly string[] }

/**
 * The names the plugin has records of: the zone, services with their ports and endpoints, verified pods, and the
 * addresses of all these. Whether one is exposed is left to the answer.
 */
export function* servedNames(data: KubernetesData): Iterable<Named> {
  const { zones } = data.options
  for (const zone of zones) {
    if (isReverse(zone)) {
      yield { name: zone, types: ['SOA', 'NS'] }
      for (const ip of addressesOf(data)) {
        const name = reverseName(ip)
        if (isSubdomain(zone, name)) yield { name, types: ['PTR'] }
      }
      continue
    }
    yield { name: zone, types: ['SOA', 'NS'] }
    yield { name: joinName('dns-version', zone), types: ['TXT'] }
    yield { name: joinName('ns.dns', zone), types: ['A', 'AAAA'] }
    for (const named of serviceNames(data)) yield { ...named, name: lowerName(joinName(named.name, zone)) }
    for (const name of podNames(data)) yield { name: joinName(name, zone), types: ['A', 'AAAA'] }
  }
}

/** Without the zone. */
function* serviceNames(data: KubernetesData): Iterable<Named> {
  for (const service of data.api.all().services) {
    const name = `${service.meta.name}.${service.meta.namespace}.svc`
    yield { name, types: ['A', 'AAAA', 'CNAME', 'SRV'] }
    for (const port of service.ports)
      if (port.name !== '') yield { name: `_${port.name}._${port.protocol}.${name}`, types: ['SRV'] }
    for (const { endpoint, ip } of readyAddresses(data, service)) {
      const host = endpointName(endpoint, ip, data.options)
      yield { name: `${host}.${name}`, types: ['A', 'AAAA', 'SRV'] }
    }
  }
}

function* podNames({ options, api }: KubernetesData): Iterable<string> {
  if (options.pods !== 'verified') return
  for (const { meta, ips } of api.all().pods)
    for (const ip of ips) yield `${formatIp(ip).replace(/[.:]/g, '-')}.${meta.namespace}.pod`
}

function* addressesOf({ api }: KubernetesData): Iterable<Ip> {
  const { services, endpointSlices } = api.all()
  for (const service of services) yield* service.clusterIPs
  for (const slice of endpointSlices) for (const endpoint of slice.endpoints) yield* endpoint.addresses
}
