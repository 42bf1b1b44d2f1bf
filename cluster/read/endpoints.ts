import { formatIp } from '../../packet/ip.ts'
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
  ips,
  listPlace,
  oneOf,
  optionalText,
  type Place,
  port,
  refuse,
  specIp,
  text,
} from './place.ts'
import { refuseSpecialIp } from './special-ip.ts'
import { refuseFamily, validateSlice, validateSubset } from './validate-endpoints.ts'

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
    port: has(entry, 'port') ? port(entry, 'port') : undefined,
    protocol: oneOf(entry, 'protocol', { values: PROTOCOLS, absent: 'TCP' }),
    ...(appProtocol === undefined ? {} : { appProtocol }),
  }
}

function endpointOf(entry: Place, addressType: EndpointSlice['addressType']): Endpoint {
  const conditions = child(entry, 'conditions')
  const ready = flag(conditions, 'ready', true)
  const addresses = addressType === 'FQDN' ? [] : ips(entry, 'addresses')
  const wanted = addressType === 'IPv6' ? 6 : 4
  for (const [i, address] of addresses.entries()) {
    if (address.family !== wanted && addressType !== 'FQDN')
      refuseFamily(entry, i, { written: formatIp(address), addressType })
    refuseSpecialIp(listPlace(entry, 'addresses'), i, address)
  }
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
  if (!has(subset, 'addresses') && !has(subset, 'notReadyAddresses'))
    refuse(subset, undefined, {
      code: 'required',
      text: 'Required value: must specify `addresses` or `notReadyAddresses`',
    })
  return { addresses, notReadyAddresses, ports: children(subset, 'ports').map(endpointsPortOf) }
}

function endpointsPortOf(entry: Place): EndpointsPort {
  const appProtocol = optionalText(entry, 'appProtocol')
  return {
    name: text(entry, 'name'),
    port: port(entry, 'port'),
    protocol: oneOf(entry, 'protocol', { values: PROTOCOLS, absent: 'TCP' }),
    ...(appProtocol === undefined ? {} : { appProtocol }),
  }
}

function addressOf(entry: Place): EndpointAddress[] {
  const ip = specIp(entry, 'ip', text(entry, 'ip'))
  if (ip === undefined) return []
  refuseSpecialIp(entry, 'ip', ip)
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
