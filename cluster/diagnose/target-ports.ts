import { isFinished } from '../build-index.ts'
import { targetPortOn } from '../complete/endpoint-slices.ts'
import { nearest } from '../nearest.ts'
import type { ContainerPort, Pod, Service, ServicePortSpec } from '../objects.ts'
import type { Diagnostic } from '../source.ts'
import { counted, type DiagnoseContext, nameOf, noteOf, placeOf, selecting } from './context.ts'

/** Ports of Services that lead to no port of the pods behind them. */
export function targetPortsOfNobody(context: DiagnoseContext): Diagnostic[] {
  return selecting(context).flatMap((service) => {
    const alive = context.selected(service.meta.namespace, service.selector).filter((pod) => !isFinished(pod))
    // A pod without an address is no endpoint; where none has one, all may come to have one.
    const listed = alive.filter(({ ips }) => ips.length > 0)
    const pods = listed.length > 0 ? listed : alive
    if (pods.length === 0) return []
    return service.ports.flatMap((port, i) => {
      const found = typeof port.targetPort === 'string' ? named(context, { service, port, i, pods }) : undefined
      return found ?? undeclared(context, { service, port, i, pods }) ?? []
    })
  })
}

interface Target {
  readonly service: Service
  readonly port: ServicePortSpec
  readonly i: number
  readonly pods: readonly Pod[]
}

const portsOf = (pod: Pod): readonly ContainerPort[] =>
  [...pod.spec.containers, ...pod.spec.initContainers.filter(({ sidecar }) => sidecar)].flatMap(({ ports }) => ports)

/** A name that no container port has: the pod stays an endpoint, and its slice has no port to send to. */
function named(context: DiagnoseContext, { service, port, i, pods }: Target): Diagnostic | undefined {
  const lacking = pods.filter((pod) => targetPortOn(pod, port) === undefined)
  const [pod] = lacking
  if (pod === undefined) return undefined
  const whole = lacking.length === pods.length
  const sameName = portsOf(pod).find(({ name }) => name === port.targetPort)
  const names = portsOf(pod).filter(({ name, protocol }) => name !== '' && protocol === port.protocol)
  const near = nearest(
    String(port.targetPort),
    names.map(({ name }) => name),
  )
  const meant = near ?? (names.length === 1 ? names[0]?.name : undefined)
  const who = whole
    ? pods.length === 1
      ? 'its only pod'
      : `none of its ${counted(pods.length, 'pod')}`
    : `${lacking.length} of its ${counted(pods.length, 'pod')}`
  const verb = whole ? (pods.length === 1 ? 'has no' : 'has a') : lacking.length === 1 ? 'has no' : 'have no'
  return {
    severity: whole ? 'error' : 'warning',
    code: 'target-port-unknown',
    message: `${nameOf(service)}: ${who} ${verb} ${port.protocol} port named "${port.targetPort}"`,
    ...placeOf(context, service, ['spec', 'ports', i, 'targetPort']),
    notes: [noteOf(context, pod, `${nameOf(pod)} ${whatItHas(pod)}`)],
    object: nameOf(service),
    suggestion:
      sameName !== undefined
        ? `its port "${sameName.name}" is ${sameName.protocol}: set protocol: ${sameName.protocol} on the Service's port`
        : meant === undefined
          ? "name the container's port so, or write its number"
          : `write targetPort: ${meant}`,
  }
}

function whatItHas(pod: Pod): string {
  const ports = portsOf(pod)
  if (ports.length === 0) return 'declares no port'
  const texts = ports.map(({ name, containerPort, protocol }) => {
    const number = `${containerPort}${protocol === 'TCP' ? '' : `/${protocol}`}`
    return name === '' ? number : `${name} (${number})`
  })
  return `has ${texts.join(', ')}`
}

/** A number that no container declares: allowed, since ports need no declaration, but often a slip. */
function undeclared(context: DiagnoseContext, { service, port, i, pods }: Target): Diagnostic | undefined {
  if (typeof port.targetPort !== 'number') return undefined
  const declaring = pods.filter((pod) => portsOf(pod).length > 0)
  const [pod] = declaring
  if (pod === undefined || declaring.length < pods.length) return undefined
  const isDeclared = (one: Pod) =>
    portsOf(one).some(({ containerPort, protocol }) => containerPort === port.targetPort && protocol === port.protocol)
  if (pods.some(isDeclared)) return undefined
  return {
    severity: 'note',
    code: 'target-port-undeclared',
    message: `${nameOf(service)}: no container declares ${port.protocol} port ${port.targetPort}, where port ${port.port} leads`,
    ...placeOf(context, service, ['spec', 'ports', i, 'targetPort']),
    notes: [noteOf(context, pod, `${nameOf(pod)} ${whatItHas(pod)}`)],
    object: nameOf(service),
    suggestion: 'containers need not declare their ports: look whether the program listens there',
  }
}
