import { diagnose } from '../diagnose/diagnose.ts'
import type { Diagnostic } from '../source.ts'
import { loadText } from './load-text.ts'

/** What is found in a text: all of it, or that of some codes. */
export function found(text: string, ...codes: readonly string[]): readonly Diagnostic[] {
  const all = diagnose(loadText(text))
  return codes.length === 0 ? all : all.filter(({ code }) => codes.includes(code))
}

/** `error:7 code message` of each finding, for tables. */
export const foundLines = (text: string, ...codes: readonly string[]): string[] =>
  found(text, ...codes).map(({ severity, at, code, message }) => `${severity}:${at?.line ?? ''} ${code} ${message}`)

/** One line of YAML for each object, with the separator, so that lines can be counted: objects stand on 1, 3, 5 ... */
export const documents = (...objects: readonly string[]): string => objects.map((object) => `${object}\n---\n`).join('')

/** A recorded node. */
export const nodeLine = (name: string, more = ''): string =>
  `{apiVersion: v1, kind: Node, metadata: {name: ${name}, uid: u${more}}, spec: {podCIDR: 10.244.1.0/24}, status: {addresses: [{type: InternalIP, address: 192.168.1.1}], conditions: [{type: Ready, status: "True"}]}}`

export interface PodLine {
  readonly labels?: string
  readonly ip?: string
  readonly ready?: boolean
  readonly phase?: string
  readonly node?: string
  readonly spec?: string
  readonly status?: string
  readonly meta?: string
  readonly namespace?: string
}

/** A recorded pod, running and ready unless said. */
export function podLine(name: string, of: PodLine = {}): string {
  const { labels = '{app: x}', ip = '10.244.1.5', ready = true, phase = 'Running', node = 'n1' } = of
  const address = ip === '' ? '' : `, podIP: ${ip}`
  const spec = of.spec ?? 'containers: [{name: main, ports: [{name: http, containerPort: 8080}]}]'
  return `{apiVersion: v1, kind: Pod, metadata: {name: ${name}, namespace: ${of.namespace ?? 'default'}, uid: u, labels: ${labels}${of.meta ?? ''}}, spec: {${node === '' ? '' : `nodeName: ${node}, `}${spec}}, status: {phase: ${phase}, conditions: [{type: Ready, status: "${ready ? 'True' : 'False'}"}]${address}${of.status ?? ''}}}`
}

/** A Service as the API server stores it. */
export const serviceLine = (
  name: string,
  of: { selector?: string; ports?: string; more?: string; namespace?: string } = {},
): string =>
  `{apiVersion: v1, kind: Service, metadata: {name: ${name}, namespace: ${of.namespace ?? 'default'}, uid: u}, spec: {clusterIP: 10.96.0.9${of.selector === '' ? '' : `, selector: ${of.selector ?? '{app: x}'}`}, ports: ${of.ports ?? '[{port: 80, targetPort: http}]'}${of.more ?? ''}}}`

/** A slice of the slice controller. */
export const sliceLine = (
  service: string,
  endpoints: string,
  of: { ports?: string; managedBy?: string; name?: string } = {},
): string =>
  `{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: ${of.name ?? `${service}-abcde`}, namespace: default, uid: u, labels: {kubernetes.io/service-name: ${service}, endpointslice.kubernetes.io/managed-by: ${of.managedBy ?? 'endpointslice-controller.k8s.io'}}}, addressType: IPv4, ports: ${of.ports ?? '[{name: "", port: 8080, protocol: TCP}]'}, endpoints: ${endpoints}}`

export const endpointLine = (
  pod: string,
  ip: string,
  more = 'conditions: {ready: true, serving: true, terminating: false}',
) => `{addresses: [${ip}], nodeName: n1, targetRef: {kind: Pod, namespace: default, name: ${pod}}, ${more}}`
