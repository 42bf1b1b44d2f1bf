import { formatIp, type Ip, parseIp } from '../../packet/ip.ts'
import { labelValueRule, qualifiedNameRule } from './labels.ts'
import { labelRule, type NameRule, refuseGivenName, refuseName, refuseText, subdomainRule } from './names.ts'
import { child, children, listPlace, type Place, pathTo, refuse, specIp, text, texts } from './place.ts'
import { refuseSpecialIp } from './special-ip.ts'

const MAX_ENDPOINTS = 1000
const MAX_PORTS = 20_000
const MAX_ADDRESSES = 100
const MAX_HINTS = 8

/** What the API server refuses in an EndpointSlice beside its addresses (pkg/apis/discovery/validation). */
export function validateSlice(root: Place): void {
  if (text(root, 'addressType') === '') refuse(root, 'addressType', { code: 'required', text: 'Required value' })
  const endpoints = children(root, 'endpoints')
  if (tooMany(root, { key: 'endpoints', count: endpoints.length, most: MAX_ENDPOINTS })) return
  for (const endpoint of endpoints) validateEndpoint(endpoint)
  const ports = children(root, 'ports')
  if (tooMany(root, { key: 'ports', count: ports.length, most: MAX_PORTS })) return
  const names = new Set<string>()
  for (const port of ports) {
    const name = text(port, 'name')
    refuseName(port, 'name', labelRule)
    if (names.has(name)) refuse(port, 'name', { code: 'duplicate', text: `Duplicate value: "${name}"` })
    names.add(name)
    refuseGivenName(port, 'appProtocol', qualifiedNameRule)
  }
}

function validateEndpoint(endpoint: Place): void {
  const addresses = texts(endpoint, 'addresses').length
  if (addresses === 0)
    refuse(endpoint, 'addresses', { code: 'required', text: 'Required value: must contain at least 1 address' })
  tooMany(endpoint, { key: 'addresses', count: addresses, most: MAX_ADDRESSES })
  refuseGivenName(endpoint, 'nodeName', subdomainRule)
  refuseGivenName(endpoint, 'hostname', labelRule)
  const hints = child(endpoint, 'hints')
  if (refuseHints(hints, 'forZones', labelValueRule)) refuseHints(hints, 'forNodes', subdomainRule)
}

/** False where there are so many that the API server looks no further. */
function refuseHints(hints: Place, key: string, rule: NameRule): boolean {
  const entries = children(hints, key)
  if (tooMany(hints, { key, count: entries.length, most: MAX_HINTS })) return false
  const seen = new Set<string>()
  for (const entry of entries) {
    const name = text(entry, 'name')
    if (seen.has(name)) refuse(entry, 'name', { code: 'duplicate', text: `Duplicate value: "${name}"` })
    seen.add(name)
    refuseText(entry, 'name', { written: name, rule })
  }
  return true
}

function tooMany(place: Place, { key, count, most }: { key: string; count: number; most: number }): boolean {
  if (count <= most) return false
  refuse(place, key, { code: 'too-many', text: `Too many: ${count}: must have at most ${most} items` })
  return true
}

/** What the API server refuses in an Endpoints object beside its addresses (pkg/apis/core/validation). */
export function validateSubset(subset: Place): void {
  for (const key of ['addresses', 'notReadyAddresses'])
    for (const address of children(subset, key)) {
      refuseName(address, 'hostname', labelRule)
      refuseGivenName(address, 'nodeName', subdomainRule)
    }
  const ports = children(subset, 'ports')
  for (const port of ports) {
    if (text(port, 'name') === '' && ports.length > 1)
      refuse(port, 'name', { code: 'required', text: 'Required value' })
    refuseName(port, 'name', labelRule)
    refuseGivenName(port, 'appProtocol', qualifiedNameRule)
  }
}

/** The addresses of an endpoint that are right: names have none, and of IPv6 only the canonical form is taken. */
export function sliceAddresses(endpoint: Place, addressType: 'IPv4' | 'IPv6' | 'FQDN'): Ip[] {
  const list = listPlace(endpoint, 'addresses')
  const isKnown = ADDRESS_TYPES.has(text({ ...endpoint, value: rootOf(endpoint) }, 'addressType'))
  return texts(endpoint, 'addresses').flatMap((written, i) => {
    if (addressType === 'FQDN') {
      refuseDomainName(list, i, written)
      return []
    }
    if (!isKnown) {
      const result = parseIp(written)
      return result.ok ? [result.value] : []
    }
    const before = list.problems.length
    const ip = specIp(list, i, written)
    if (ip === undefined) return []
    if (list.problems.length === before) refuseAddress(list, i, { ip, written, addressType })
    return [ip]
  })
}

const ADDRESS_TYPES: ReadonlySet<string> = new Set(['IPv4', 'IPv6', 'FQDN'])

/** The object that a place is in. */
const rootOf = (place: Place): Place['value'] => (place.parent === undefined ? place.value : rootOf(place.parent))

function refuseAddress(
  list: Place,
  i: number,
  of: { readonly ip: Ip; readonly written: string; readonly addressType: 'IPv4' | 'IPv6' },
): void {
  const { ip, written, addressType } = of
  const canonical = formatIp(ip)
  if (addressType === 'IPv6' && canonical !== written) {
    const text = `Invalid value: "${written}": must be in canonical form ("${canonical}")`
    return refuse(list, i, { code: 'ip-canonical', text, suggestion: `write ${canonical}` })
  }
  if (ip.family !== (addressType === 'IPv4' ? 4 : 6)) {
    const text = `Invalid value: "${written}": must be an ${addressType} address`
    refuse(list, i, { code: 'endpoint-family', text, shown: pathTo(list) })
  }
  refuseSpecialIp(list, i, { ip, written })
}

/** IsFullyQualifiedDomainName (k8s.io/apimachinery pkg/util/validation). */
function refuseDomainName(list: Place, i: number, written: string): void {
  if (written === '') return refuse(list, i, { code: 'required', text: 'Required value' })
  const name = written.replace(/\.$/, '')
  const labels = name.split('.')
  const wrong = (of: string, problems: readonly string[]) =>
    refuse(list, i, { code: 'name-invalid', text: `Invalid value: "${of}": ${problems.join(',')}` })
  if (subdomainRule(name).length > 0) return wrong(name, subdomainRule(name))
  if (labels.length < 2) return wrong(name, ['should be a domain with at least two segments separated by dots'])
  const long = labels.find((label) => labelRule(label).length > 0)
  if (long !== undefined) wrong(long, labelRule(long))
}
