import { FIRST_STATE, type IpvsConnection, PROTOCOL_NAME } from '../linux/ipvs/connection.ts'
import type { IpvsStats } from '../linux/ipvs/destination.ts'
import { IPVS_PROTOCOL, type IpvsConfig, type IpvsService, keyOfService } from '../linux/ipvs/ipvs-config.ts'
import type { IpvsState } from '../linux/ipvs/ipvs-state.ts'
import type { IpvsDestinationSpec, IpvsForward } from '../linux/op.ts'
import type { Ip } from '../packet/ip.ts'
import { PROTOCOL } from '../packet/packet.ts'
import { addressPort, maskText } from './ipvsadm-save.ts'
import { type Lens, WHOLE } from './lens.ts'

/** What `ipvsadm` of ipvsadm 1.31 prints. Destinations and services are sorted as it sorts them. */

/** IP_VS_VERSION, and the connection table of CONFIG_IP_VS_TAB_BITS=12. */
const HEAD = 'IP Virtual Server version 1.2.1 (size=4096)'

const FORWARD_NAME: Readonly<Record<IpvsForward, string>> = { masquerade: 'Masq', route: 'Route', tunnel: 'Tunnel' }

/** `ipvsadm -Ln`. Without a `state` nothing has been connected yet. */
export function renderIpvs(config: IpvsConfig, state?: IpvsState, lens: Lens = WHOLE): readonly string[] {
  return [
    HEAD,
    'Prot LocalAddress:Port Scheduler Flags',
    '  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn',
    ...sortServices(config.services.filter(({ origin }) => lens.keeps(origin))).flatMap((service) => [
      lens.line(`${serviceName(service)} ${service.scheduler}${flagsText(service)}`, service.origin),
      ...destinationsOf(service, state).map(
        ({ address, port, forward, weight, active, inactive }) =>
          `  -> ${addressPort({ address, port }).padEnd(28)} ${FORWARD_NAME[forward].padEnd(7)} ${String(weight).padEnd(6)} ${String(active).padEnd(10)} ${String(inactive).padEnd(10)}`,
      ),
    ]),
  ]
}

/** `ipvsadm -Ln --stats`. */
export function renderIpvsStats(config: IpvsConfig, state?: IpvsState, lens: Lens = WHOLE): readonly string[] {
  return [
    HEAD,
    `${'Prot LocalAddress:Port'.padEnd(33)} ${['Conns', 'InPkts', 'OutPkts', 'InBytes', 'OutBytes'].map((head) => head.padStart(8)).join(' ')}`,
    '  -> RemoteAddress:Port',
    ...sortServices(config.services.filter(({ origin }) => lens.keeps(origin))).flatMap((service) => [
      `${serviceName(service).padEnd(33)}${statsText(state?.services.get(keyOfService(service))?.stats)}`,
      ...destinationsOf(service, state).map(
        ({ address, port, stats }) => `  -> ${addressPort({ address, port }).padEnd(28)}${statsText(stats)}`,
      ),
    ]),
  ]
}

/** `ipvsadm -Lnc`, in the order in which the connections were made: the kernel's is that of its hash table. */
export function renderIpvsConnections(
  state: IpvsState | undefined,
  now: number,
  lens: Lens = WHOLE,
): readonly string[] {
  return [
    'IPVS connection entries',
    `pro expire ${'state'.padEnd(11)} ${'source'.padEnd(18)} ${'virtual'.padEnd(18)} destination`,
    ...[...(state?.all ?? [])]
      .filter(({ service }) => lens.keeps(service.config.origin))
      .map((connection) => connectionLine(connection, now)),
  ]
}

function connectionLine(connection: IpvsConnection, now: number): string {
  const { protocol, client, virtual, real, expiresAt } = connection
  const left = Math.max(0, Math.floor((expiresAt - now) / 1e9))
  const expires = `${String(Math.floor(left / 60)).padStart(2, '0')}:${String(left % 60).padStart(2, '0')}`
  const end = ({ ip, port }: { readonly ip: Ip; readonly port: number }) => addressPort({ address: ip, port })
  const name = (PROTOCOL_NAME.get(protocol) ?? '').padEnd(3)
  return `${name} ${expires.padEnd(6)} ${stateText(connection).padEnd(11)} ${end(client).padEnd(18)} ${end(virtual).padEnd(18)} ${end(real)}`
}

const stateText = ({ state, protocol, template }: IpvsConnection): string =>
  state === FIRST_STATE && protocol === PROTOCOL.udp && !template ? 'UDP' : state

/** `TCP  10.96.0.1:443`: the protocol takes five columns. */
const serviceName = (service: IpvsService): string => `${service.protocol.padEnd(4)} ${addressPort(service)}`

function flagsText({ flags = [], onePacket, persistent, address }: IpvsService): string {
  const mask = persistent?.mask
  return [
    flags.length === 0 ? '' : ` (${flags.join(',')})`,
    onePacket === true ? ' ops' : '',
    persistent === undefined ? '' : ` persistent ${persistent.seconds}`,
    mask === undefined || mask === (address.family === 4 ? 32 : 128) ? '' : ` mask ${maskText({ address }, mask)}`,
  ].join('')
}

interface ShownDestination extends IpvsDestinationSpec {
  readonly active: number
  readonly inactive: number
  readonly stats: IpvsStats | undefined
}

function destinationsOf(service: IpvsService, state: IpvsState | undefined): readonly ShownDestination[] {
  const live = state?.services.get(keyOfService(service))?.destinations
  const shown: readonly ShownDestination[] =
    live ?? service.destinations.map((spec) => ({ ...spec, active: 0, inactive: 0, stats: undefined }))
  return mergeSort(shown, (x, y) => compareAddress(x.address, y.address) || x.port - y.port)
}

const sortServices = (services: readonly IpvsService[]): readonly IpvsService[] =>
  mergeSort(
    services,
    (x, y) =>
      x.address.family - y.address.family ||
      IPVS_PROTOCOL[x.protocol] - IPVS_PROTOCOL[y.protocol] ||
      compareAddress(x.address, y.address) ||
      x.port - y.port,
  )

/** The difference of two unsigned words as a C int: 192.0.2.1 comes before 10.0.0.1, as ipvsadm really lists them. */
function compareAddress(x: Ip, y: Ip): number {
  for (const difference of [x.a - y.a, x.b - y.b, x.c - y.c, x.d - y.d])
    if ((difference | 0) !== 0) return difference | 0
  return 0
}

/** qsort(3) of glibc: a merge sort, top down. The order matters, because what compares addresses is no order. */
function mergeSort<T>(items: readonly T[], compare: (x: T, y: T) => number): readonly T[] {
  if (items.length < 2) return items
  const half = Math.floor(items.length / 2)
  const left = mergeSort(items.slice(0, half), compare)
  const right = mergeSort(items.slice(half), compare)
  const merged: T[] = []
  let i = 0
  let j = 0
  while (i < left.length && j < right.length) {
    const x = left[i] as T
    const y = right[j] as T
    if (compare(x, y) <= 0) {
      merged.push(x)
      i++
    } else {
      merged.push(y)
      j++
    }
  }
  return [...merged, ...left.slice(i), ...right.slice(j)]
}

function statsText(stats: IpvsStats | undefined): string {
  const { connections = 0, inPackets = 0, outPackets = 0, inOctets = 0, outOctets = 0 } = stats ?? {}
  return [connections, inPackets, outPackets, inOctets, outOctets].map(largeNumber).join('')
}

/** print_largenum: nine columns, in thousands from a hundred million on. */
function largeNumber(value: number): string {
  if (value < 1e8) return String(value).padStart(9)
  for (const [limit, unit, letter] of [
    [1e9, 1e3, 'K'],
    [1e11, 1e6, 'M'],
    [1e14, 1e9, 'G'],
  ] as const)
    if (value < limit) return `${String(Math.floor(value / unit)).padStart(8)}${letter}`
  return `${String(Math.floor(value / 1e12)).padStart(8)}T`
}
