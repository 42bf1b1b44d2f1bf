import { byText } from '../order.ts'
import type { FoundLayout, Layout } from './inventory.ts'

/** How a layout shows itself, and which kinds it never holds. */
interface LayoutSign {
  /** Matches a path; group 1 is the root. */
  readonly path: RegExp
  readonly never: readonly string[]
  readonly title: string
}

/**
 * Collectors by the files that only they write. What they leave out is read in their sources: kubectl's
 * clusterinfo_dump.go; oc adm inspect; troubleshoot.sh pkg/collect/cluster_resources.go; velero's backup format.
 */
export const LAYOUTS: Readonly<Record<Layout, LayoutSign>> = {
  'cluster-info-dump': {
    path: /^(|.*?[/!])[^/!]+\/replication-controllers\.(?:json|yaml)$/,
    never: ['ConfigMap', 'EndpointSlice', 'Endpoints', 'Ingress', 'Namespace', 'NetworkPolicy', 'ServiceCIDR'],
    title: 'kubectl cluster-info dump',
  },
  'must-gather': {
    path: /^(|.*?[/!])(?:cluster-scoped-resources\/[^/!]+\/.+|namespaces\/[^/!]+\/core\/[^/!]+)\.(?:yaml|json)$/,
    never: [],
    title: 'must-gather',
  },
  'support-bundle': {
    path: /^(|.*?[/!])cluster-resources\/(?:[^/!]+\/)*[^/!]+\.json$/,
    never: [],
    title: 'a support bundle',
  },
  velero: {
    path: /^(|.*?[/!])resources\/[^/!]+\/(?:[^/!]+\/)?(?:namespaces\/[^/!]+|cluster)\/[^/!]+\.json$/,
    never: [],
    title: 'a velero backup',
  },
}

/** The layouts that a list of paths shows. */
export function layoutsOf(paths: Iterable<string>): FoundLayout[] {
  const found = new Map<string, FoundLayout>()
  for (const path of paths)
    for (const [kind, { path: sign }] of Object.entries(LAYOUTS) as [Layout, LayoutSign][]) {
      const root = sign.exec(path)?.[1]?.replace(/[/!]$/, '')
      if (root !== undefined) found.set(`${root}\0${kind}`, { kind, root })
    }
  return [...found.entries()].sort(([x], [y]) => byText(x, y)).map(([, layout]) => layout)
}

/** Why a file of a directory or archive is passed over for its name alone; its contents are never looked at. */
export function unreadPath(path: string): { readonly code: string; readonly reason: string } | undefined {
  const parts = path.split('/')
  const base = parts.at(-1) ?? ''
  if (parts.some((part) => part === '__MACOSX' || (part.startsWith('.') && part.length > 1 && part !== '..')))
    return { code: 'hidden', reason: 'a hidden file' }
  if (/^logs?\.txt$|\.log(\.\d+|\.gz)*$/i.test(base) || parts.slice(0, -1).some((part) => part === 'logs'))
    return { code: 'log', reason: 'a log' }
  return undefined
}
