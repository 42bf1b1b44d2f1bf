import type { Meta } from '../objects.ts'
import { refuseAnnotations, refuseLabels } from './labels.ts'
import { child, children, flag, has, note, optionalText, type Place, text, textMap } from './place.ts'

/** It repeats the whole object; nothing reads it. */
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration'

/** Reads `metadata`. Namespaced objects without a namespace are in `default`, where kubectl would put them. */
export function readMeta(root: Place, scope: 'cluster' | 'namespaced'): Meta {
  const meta = child(root, 'metadata')
  const { [LAST_APPLIED]: _, ...annotations } = textMap(meta, 'annotations')
  const uid = optionalText(meta, 'uid')
  const creationTimestamp = optionalText(meta, 'creationTimestamp')
  const deletionTimestamp = optionalText(meta, 'deletionTimestamp')
  refuseLabels(meta, 'labels')
  refuseAnnotations(meta)
  const owner = children(meta, 'ownerReferences').find((reference) => flag(reference, 'controller'))
  if (!has(meta, 'name'))
    note(meta, has(meta, 'generateName') ? 'generateName' : undefined, { code: 'name-missing', text: 'has no name' })
  return {
    namespace: scope === 'cluster' ? '' : text(meta, 'namespace') || 'default',
    name: text(meta, 'name'),
    labels: textMap(meta, 'labels'),
    annotations,
    ...(uid === undefined ? {} : { uid }),
    ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
    ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
    ...(owner === undefined ? {} : { owner: { kind: text(owner, 'kind'), name: text(owner, 'name') } }),
  }
}
