import { labelValueProblem, qualifiedNameProblem } from './labels.ts'
import { labelProblem, refuseName, subdomainProblem } from './names.ts'
import { child, children, has, listPlace, type Place, refuse, text, texts } from './place.ts'

const MAX_ENDPOINTS = 1000
const MAX_PORTS = 20_000
const MAX_ADDRESSES = 100
const MAX_ZONE_HINTS = 8

/** What the API server refuses in an EndpointSlice beside its addresses (pkg/apis/discovery/validation). */
export function validateSlice(root: Place): void {
  if (!has(root, 'addressType')) refuse(root, 'addressType', { code: 'required', text: 'Required value' })
  const endpoints = children(root, 'endpoints')
  if (tooMany(root, { key: 'endpoints', count: endpoints.length, most: MAX_ENDPOINTS })) return
  for (const endpoint of endpoints) validateEndpoint(endpoint)
  const ports = children(root, 'ports')
  if (tooMany(root, { key: 'ports', count: ports.length, most: MAX_PORTS })) return
  const names = new Set<string>()
  for (const port of ports) {
    const name = text(port, 'name')
    refuseName(port, 'name', labelProblem)
    if (names.has(name)) refuse(port, 'name', { code: 'duplicate', text: `Duplicate value: "${name}"` })
    names.add(name)
    refuseName(port, 'appProtocol', qualifiedNameProblem)
  }
}

function validateEndpoint(endpoint: Place): void {
  const addresses = texts(endpoint, 'addresses').length
  if (addresses === 0)
    refuse(endpoint, 'addresses', { code: 'required', text: 'Required value: must contain at least 1 address' })
  tooMany(endpoint, { key: 'addresses', count: addresses, most: MAX_ADDRESSES })
  refuseName(endpoint, 'hostname', labelProblem)
  refuseName(endpoint, 'nodeName', subdomainProblem)
  const hints = child(endpoint, 'hints')
  const zones = children(hints, 'forZones')
  if (tooMany(hints, { key: 'forZones', count: zones.length, most: MAX_ZONE_HINTS })) return
  const seen = new Set<string>()
  for (const zone of zones) {
    const name = text(zone, 'name')
    if (seen.has(name)) refuse(zone, 'name', { code: 'duplicate', text: `Duplicate value: "${name}"` })
    seen.add(name)
    refuseName(zone, 'name', labelValueProblem)
  }
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
      refuseName(address, 'hostname', labelProblem)
      refuseName(address, 'nodeName', subdomainProblem)
    }
  const ports = children(subset, 'ports')
  for (const port of ports) {
    if (!has(port, 'name') && ports.length > 1) refuse(port, 'name', { code: 'required', text: 'Required value' })
    refuseName(port, 'name', labelProblem)
    refuseName(port, 'appProtocol', qualifiedNameProblem)
  }
}

/** An address of the other family. */
export function refuseFamily(endpoint: Place, i: number, of: { written: string; addressType: 'IPv4' | 'IPv6' }): void {
  refuse(listPlace(endpoint, 'addresses'), i, {
    code: 'endpoint-family',
    text: `Invalid value: "${of.written}": must be a valid ${of.addressType} address`,
  })
}
