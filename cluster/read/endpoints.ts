import type {
  Endpoint,
  EndpointAddress,
  EndpointPort,
  EndpointSlice,
  EndpointSubset,
  Endpoints,
  EndpointsPort,
} from '../objects.ts'
import { readMeta } from './meta.ts'
import {
  child,
  children,
  flag,
  has,
  integer,
  isPort,
  note,
  oneOf,
  optionalText,
  type Place,
  port,
  refuse,
  refusePort,
  specIp,
  text,
} from './place.ts'
import { refuseSpecialIp } from './special-ip.ts'
import { sliceAddresses, validateSlice, validateSubset } from './validate-endpoints.ts'

const PROTOCOLS = ['SCTP', 'TCP', 'UDP'] as const
const ADDRESS_TYPES = ['FQDN', 'IPv4', 'IPv6'] as const
const SERVICE_NAME = 'kubernetes.io/service-name'

/** Reads an EndpointSlice (discovery.k8s.io/v1), conditions as kube-proxy takes their absence. */
export function readEndpointSlice(root: Place): Omit<EndpointSlice, 'kind' | 'at' | 'assumed'> {
  const meta = readMeta(root, 'namespaced')
  validateSlice(root)
  const addressType = oneOf(root, 'addressType', { values: ADDRESS_TYPES, absent: 'IPv4' })
  return {
    meta,
    serviceName: meta.labels[SERVICE_NAME] ?? '',
    addressType,
    ports: children(root, 'ports').map(endpointPortOf),
    endpoints: children(root, 'endpoints').map((endpoint) => endpointOf(endpoint, addressType)),
  }
}

function endpointPortOf(entry: Place): EndpointPort {
  const appProtocol = optionalText(entry, 'appProtocol')
  return {
    name: text(entry, 'name'),
    port: has(entry, 'port') ? slicePort(entry) : undefined,
    protocol: oneOf(entry, 'protocol', { values: PROTOCOLS, absent: 'TCP', optional: true }),
    ...(appProtocol === undefined ? {} : { appProtocol }),
  }
}

/** The number of a slice's port, which the API server does not look at; 0 where it is none. */
function slicePort(entry: Place): number {
  const number = integer(entry, 'port', 0)
  if (isPort(number)) return number
  note(entry, 'port', { severity: 'warning', code: 'port-invalid', text: `is ${number}, which is no port` })
  return 0
}

function endpointOf(entry: Place, addressType: EndpointSlice['addressType']): Endpoint {
  const conditions = child(entry, 'conditions')
  const ready = flag(conditions, 'ready', true)
  const wanted = addressType === 'IPv6' ? 6 : 4
  const addresses = sliceAddresses(entry, addressType)
  const hints = child(entry, 'hints')
  return {
    addresses: addresses.filter((address) => address.family === wanted),
    ready,
    serving: flag(conditions, 'serving', true),
    terminating: flag(conditions, 'terminating'),
    ...texted(entry, 'nodeName'),
    ...texted(entry, 'hostname'),
    ...texted(entry, 'zone'),
    ...targetOf(entry),
    ...(has(hints, 'forZones') ? { hintZones: children(hints, 'forZones').map((zone) => text(zone, 'name')) } : {}),
    ...(has(hints, 'forNodes') ? { hintNodes: children(hints, 'forNodes').map((node) => text(node, 'name')) } : {}),
  }
}

/** A text member that is left out where it is absent. */
function texted<const K extends string>(place: Place, key: K): { readonly [k in K]?: string } {
  const value = optionalText(place, key)
  return (value === undefined ? {} : { [key]: value }) as { readonly [k in K]?: string }
}

function targetOf(entry: Place): Pick<Endpoint, 'targetRef'> {
  if (!has(entry, 'targetRef')) return {}
  const target = child(entry, 'targetRef')
  return { targetRef: { kind: text(target, 'kind'), namespace: text(target, 'namespace'), name: text(target, 'name') } }
}

/** Reads an Endpoints object (v1). */
export function readEndpoints(root: Place): Omit<Endpoints, 'kind' | 'at' | 'assumed'> {
  return { meta: readMeta(root, 'namespaced'), subsets: children(root, 'subsets').map(subsetOf) }
}

function subsetOf(subset: Place): EndpointSubset {
  validateSubset(subset)
  const addresses = children(subset, 'addresses').flatMap(addressOf)
  const notReadyAddresses = children(subset, 'notReadyAddresses').flatMap(addressOf)
  if (children(subset, 'addresses').length + children(subset, 'notReadyAddresses').length === 0)
    refuse(subset, undefined, {
      code: 'required',
      text: 'Required value: must specify `addresses` or `notReadyAddresses`',
    })
  return { addresses, notReadyAddresses, ports: children(subset, 'ports').map(endpointsPortOf) }
}

function endpointsPortOf(entry: Place): EndpointsPort {
  const appProtocol = optionalText(entry, 'appProtocol')
  if (!has(entry, 'port')) refusePort(entry, 'port', 0)
  return {
    name: text(entry, 'name'),
    port: port(entry, 'port'),
    protocol: oneOf(entry, 'protocol', { values: PROTOCOLS, absent: 'TCP' }),
    ...(appProtocol === undefined ? {} : { appProtocol }),
  }
}

function addressOf(entry: Place): EndpointAddress[] {
  const written = text(entry, 'ip')
  const ip = specIp(entry, 'ip', written)
  if (ip === undefined) {
    refuse(entry, 'ip', { code: 'ip-invalid', text: `Invalid value: "${written}": must be a valid IP address` })
    return []
  }
  refuseSpecialIp(entry, 'ip', { ip, written })
  const { targetRef } = targetOf(entry)
  return [
    {
      ip,
      ...texted(entry, 'hostname'),
      ...texted(entry, 'nodeName'),
      ...(targetRef === undefined ? {} : { targetRef: { ...targetRef, ...texted(child(entry, 'targetRef'), 'uid') } }),
    },
  ]
}
