import { keyOf } from '../cluster.ts'
import type { FieldPath } from '../input/field-path.ts'
import { isList, isObject, type Json, type JsonObject, member } from '../input/json-value.ts'
import { nearest } from '../nearest.ts'
import type { OtherObject, Service } from '../objects.ts'
import type { Diagnostic } from '../source.ts'
import { type DiagnoseContext, noteOf, placeOf } from './context.ts'

/** Names of Services that Ingresses and StatefulSets hold, and that lead nowhere. */
export const brokenReferences = (context: DiagnoseContext): Diagnostic[] => [
  ...ingresses(context),
  ...statefulSets(context),
]

interface Backend {
  readonly path: FieldPath
  readonly service: JsonObject
}

function ingresses(context: DiagnoseContext): Diagnostic[] {
  // Without a Service in the input it is not known which there are.
  if (context.cluster.services.length === 0) return []
  return context.cluster.others
    .filter(({ objectKind, apiVersion }) => objectKind === 'Ingress' && apiVersion.startsWith('networking.k8s.io/'))
    .flatMap((ingress) => backendsOf(ingress).flatMap((backend) => backendProblem(context, ingress, backend) ?? []))
}

const objectAt = (value: Json | undefined, key: string): JsonObject => {
  const found = isObject(value) ? member(value, key) : undefined
  return isObject(found) ? found : {}
}
const listAt = (value: Json | undefined, key: string): readonly Json[] => {
  const found = isObject(value) ? member(value, key) : undefined
  return isList(found) ? found : []
}
const textAt = (value: JsonObject, key: string): string => {
  const found = member(value, key)
  return typeof found === 'string' ? found : ''
}

function backendsOf({ spec }: OtherObject): Backend[] {
  const at = (backend: Json | undefined, path: FieldPath): Backend[] => {
    const service = objectAt(backend, 'service')
    return textAt(service, 'name') === '' ? [] : [{ path: [...path, 'service'], service }]
  }
  const root = spec as Json
  return [
    ...(isObject(root) ? at(member(root, 'defaultBackend'), ['spec', 'defaultBackend']) : []),
    ...listAt(root, 'rules').flatMap((rule, i) =>
      listAt(objectAt(rule, 'http'), 'paths').flatMap((path, k) =>
        at(isObject(path) ? member(path, 'backend') : undefined, ['spec', 'rules', i, 'http', 'paths', k, 'backend']),
      ),
    ),
  ]
}

function backendProblem(
  context: DiagnoseContext,
  ingress: OtherObject,
  { path, service }: Backend,
): Diagnostic | undefined {
  const { namespace } = ingress.meta
  const name = textAt(service, 'name')
  const of = `Ingress ${keyOf(ingress.meta)}`
  const found = context.cluster.index.service.get(`${namespace}/${name}`)
  if (found === undefined) {
    const elsewhere = context.cluster.services.find(({ meta }) => meta.name === name)
    const near = nearest(
      name,
      context.cluster.services.filter(({ meta }) => meta.namespace === namespace).map(({ meta }) => meta.name),
    )
    return {
      severity: 'error',
      code: 'ingress-backend-unknown',
      message: `${of}: there is no Service ${name} in namespace ${namespace}`,
      ...placeOf(context, ingress, [...path, 'name']),
      ...(elsewhere === undefined
        ? {}
        : {
            notes: [
              noteOf(
                context,
                elsewhere,
                `Service ${keyOf(elsewhere.meta)} is in another namespace, where an Ingress does not reach`,
              ),
            ],
          }),
      object: of,
      suggestion:
        near === undefined
          ? `put the Ingress into the Service's namespace, or give ${namespace} a Service ${name} of type ExternalName`
          : `did you mean ${near}?`,
    }
  }
  const port = objectAt(service, 'port')
  const named = textAt(port, 'name')
  const number = member(port, 'number')
  const has = found.ports.some((one) => (named === '' ? one.port === number : one.name === named))
  if (has || (named === '' && typeof number !== 'number')) return undefined
  return {
    severity: 'error',
    code: 'ingress-port-unknown',
    message: `${of}: Service ${keyOf(found.meta)} has no port ${named === '' ? String(number) : `named "${named}"`}`,
    ...placeOf(context, ingress, [...path, 'port']),
    notes: [noteOf(context, found, `it has ${portsText(found)}`)],
    object: of,
    suggestion: `write one of ${portsText(found)}`,
  }
}

const portsText = ({ ports }: Service): string =>
  ports.map(({ name, port }) => (name === '' ? String(port) : `${name} (${port})`)).join(', ')

/** A StatefulSet's pods have DNS names of their own only under a headless Service of that name. */
function statefulSets(context: DiagnoseContext): Diagnostic[] {
  if (context.cluster.services.length === 0) return []
  return context.cluster.workloads.flatMap((set): Diagnostic[] => {
    if (set.kind !== 'StatefulSet' || set.serviceName === '') return []
    const of = `StatefulSet ${keyOf(set.meta)}`
    const service = context.cluster.index.service.get(`${set.meta.namespace}/${set.serviceName}`)
    if (service?.headless === true) return []
    return [
      {
        severity: 'warning',
        code: 'stateful-service-unknown',
        message:
          service === undefined
            ? `${of}: its Service ${set.serviceName} does not exist: its pods have no DNS names of their own`
            : `${of}: its Service ${set.serviceName} is not headless: its name leads to one address for all pods`,
        ...placeOf(context, set, ['spec', 'serviceName']),
        ...(service === undefined
          ? {}
          : { notes: [noteOf(context, service, `Service ${keyOf(service.meta)} stands here`)] }),
        object: of,
        suggestion: `make a Service ${set.serviceName} with clusterIP: None that selects its pods`,
      },
    ]
  })
}
