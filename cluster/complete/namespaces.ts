import type { Meta, Namespace } from '../objects.ts'
import { byName, byText } from '../order.ts'

/** The label that the API server puts on every namespace. */
const NAME_LABEL = 'kubernetes.io/metadata.name'

/** Namespaces that every cluster has. */
const BUILT_IN = ['default', 'kube-system']

/** The namespaces of the input with their name label, and those that other objects are in. */
export function completeNamespaces(
  given: readonly Namespace[],
  objects: readonly { readonly meta: Meta }[],
): Namespace[] {
  const named = given.map((namespace) => ({
    ...namespace,
    meta: { ...namespace.meta, labels: labelsOf(namespace.meta) },
  }))
  const known = new Set(given.map(({ meta }) => meta.name))
  const implied = new Set([...BUILT_IN, ...objects.map(({ meta }) => meta.namespace)])
  const made = [...implied]
    .filter((name) => name !== '' && !known.has(name))
    .sort(byText)
    .map((name): Namespace => {
      const meta: Meta = { namespace: '', name, labels: { [NAME_LABEL]: name }, annotations: {} }
      return { kind: 'Namespace', meta, assumed: true }
    })
  return [...named, ...made].sort(byName)
}

const labelsOf = (meta: Meta): Meta['labels'] =>
  meta.labels[NAME_LABEL] === meta.name ? meta.labels : { ...meta.labels, [NAME_LABEL]: meta.name }
