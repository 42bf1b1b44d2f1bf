import { type Cluster, keyOf } from '../cluster.ts'
import type { FieldPath } from '../input/field-path.ts'
import type { Labels, Meta, Pod, Service } from '../objects.ts'
import { labelsMatch } from '../selector.ts'
import type { Diagnostic, SourceLocation, SourceSpan } from '../source.ts'
import type { SourceTexts } from '../source-texts.ts'

/** What every family of findings looks at. */
export interface DiagnoseContext {
  readonly cluster: Cluster
  readonly sources: SourceTexts
  /** Pods that a selector selects in a namespace, finished ones too. */
  readonly selected: (namespace: string, selector: Labels) => readonly Pod[]
  readonly podsIn: (namespace: string) => readonly Pod[]
}

export function diagnoseContext(cluster: Cluster, sources: SourceTexts): DiagnoseContext {
  const byNamespace = new Map<string, Pod[]>()
  for (const pod of cluster.pods) {
    const group = byNamespace.get(pod.meta.namespace)
    if (group === undefined) byNamespace.set(pod.meta.namespace, [pod])
    else group.push(pod)
  }
  return {
    cluster,
    sources,
    selected: podIndex(cluster.pods),
    podsIn: (namespace) => byNamespace.get(namespace) ?? [],
  }
}

/** Pods by namespace and each of their labels, so that a selector looks at the pods of its rarest label alone. */
function podIndex(pods: readonly Pod[]): DiagnoseContext['selected'] {
  const byLabel = new Map<string, Pod[]>()
  for (const pod of pods)
    for (const [key, value] of Object.entries(pod.meta.labels)) {
      const name = `${pod.meta.namespace}\0${key}\0${value}`
      const group = byLabel.get(name)
      if (group === undefined) byLabel.set(name, [pod])
      else group.push(pod)
    }
  return (namespace, selector) => {
    const groups = Object.entries(selector).map(([key, value]) => byLabel.get(`${namespace}\0${key}\0${value}`) ?? [])
    const [rarest = []] = groups.sort((x, y) => x.length - y.length)
    return rarest.filter((pod) => labelsMatch(selector, pod.meta.labels))
  }
}

interface Located {
  readonly meta: Meta
  readonly kind: string
  readonly at?: SourceSpan
}

export const nameOf = ({ kind, meta }: Pick<Located, 'kind' | 'meta'>): string => `${kind} ${keyOf(meta)}`

/** The place of an object, or of a field of it. */
export function placeOf(
  { sources }: DiagnoseContext,
  { at }: Pick<Located, 'at'>,
  path?: FieldPath,
): { readonly at?: SourceLocation } {
  if (at === undefined) return {}
  return { at: path === undefined ? { file: at.file, line: at.line } : sources.locate(at, path) }
}

type Note = NonNullable<Diagnostic['notes']>[number]

/** A note about another object, with its place. */
export const noteOf = (context: DiagnoseContext, object: Located, message: string): Note => ({
  message,
  ...placeOf(context, object),
})

/** Services with a selector that controllers look after. */
export const selecting = ({ cluster }: DiagnoseContext): readonly (Service & { readonly selector: Labels })[] =>
  cluster.services.filter(
    (service): service is Service & { readonly selector: Labels } =>
      service.selector !== undefined && service.type !== 'ExternalName',
  )

/** `1 pod`, `2 pods`. */
export const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`
