import type { LabelSelector } from '../../../../cluster/objects.ts'
import { type Parsed, parsed, refused } from '../../../../packet/parsed.ts'
import type { CorefileError } from '../../corefile/dispenser.ts'
import { durationSeconds } from '../../duration.ts'
import { type Controller, pluginError } from '../../plugin.ts'
import { type FallThrough, fallThroughOf, isReverse, zonesOf } from '../../zones.ts'
import { parseLabelSelector } from './label-selector.ts'

/** A `kubernetes` stanza. */
export interface KubernetesOptions {
  readonly zones: readonly string[]
  /** The first zone that is not a reverse one: PTR records point into it. */
  readonly primaryZone: string
  readonly pods: PodMode
  /** Empty: all. */
  readonly namespaces: ReadonlySet<string>
  readonly namespaceLabels: LabelSelector | undefined
  readonly labels: LabelSelector | undefined
  readonly ttl: number
  readonly endpointPodNames: boolean
  readonly endpoints: boolean
  readonly ignoreEmptyService: boolean
  readonly zonal: boolean
  /** Zones of the cluster set: services that are imported. */
  readonly multiclusterZones: readonly string[]
  readonly fallThrough: FallThrough
  /** An API server named in the Corefile, not the cluster's own. */
  readonly apiServer: string | undefined
}

export type PodMode = 'disabled' | 'insecure' | 'verified'
const POD_MODES: readonly string[] = ['disabled', 'insecure', 'verified']

type Editable = { -readonly [Key in keyof KubernetesOptions]: KubernetesOptions[Key] }

/** Reads the stanza: kubernetesParse and ParseStanza of plugin/kubernetes/setup.go. */
export function parseOptions(controller: Controller): Parsed<KubernetesOptions> {
  const { words } = controller
  let options: KubernetesOptions | undefined
  while (words.next()) {
    if (options) return pluginError('kubernetes', 'this plugin can only be used once per Server Block')
    const stanza = parseStanza(controller)
    if (!stanza.ok) return stanza
    options = stanza.value
  }
  return options ? parsed(options) : refused('plugin/kubernetes: no stanza')
}

function parseStanza(controller: Controller): Parsed<KubernetesOptions> {
  const { words } = controller
  const args = words.remaining()
  const zones = args.length > 0 ? zonesOf(args) : controller.zones
  const options: Editable = {
    zones,
    primaryZone: zones.find((zone) => !isReverse(zone)) ?? zones[0] ?? '.',
    pods: 'disabled',
    namespaces: new Set(),
    namespaceLabels: undefined,
    labels: undefined,
    ttl: 5,
    endpointPodNames: false,
    endpoints: true,
    ignoreEmptyService: false,
    zonal: false,
    multiclusterZones: [],
    fallThrough: undefined,
    apiServer: undefined,
  }
  while (words.nextInBlock()) {
    const error = parseProperty(options, controller)
    if (error) return pluginError('kubernetes', error)
  }
  if (options.namespaces.size > 0 && options.namespaceLabels)
    return pluginError('kubernetes', words.error('namespaces and namespace_labels cannot both be set'))
  const foreign = options.multiclusterZones.find((zone) => !zones.includes(zone))
  if (foreign !== undefined)
    return pluginError(
      'kubernetes',
      words.error(
        `is not authoritative for the multicluster zone ${foreign} (authoritative zones: [${zones.join(' ')}])`,
      ),
    )
  return parsed(options)
}

function parseProperty(options: Editable, controller: Controller): CorefileError | string | undefined {
  const { words } = controller
  const property = words.word()
  switch (property) {
    case 'endpoint_pod_names':
      options.endpointPodNames = true
      return words.remaining().length > 0 ? words.argumentError() : undefined
    case 'noendpoints':
      options.endpoints = false
      return words.remaining().length > 0 ? words.argumentError() : undefined
    case 'zonal':
      options.zonal = true
      return words.remaining().length > 0 ? words.argumentError() : undefined
    case 'pods': {
      const args = words.remaining()
      if (args.length !== 1) return words.argumentError()
      if (!POD_MODES.includes(args[0] ?? ''))
        return `wrong value for pods: ${args[0]},  must be one of: disabled, verified, insecure`
      options.pods = args[0] as PodMode
      return undefined
    }
    case 'namespaces': {
      const args = words.remaining()
      options.namespaces = new Set([...options.namespaces, ...args])
      return args.length === 0 ? words.argumentError() : undefined
    }
    case 'labels':
    case 'namespace_labels': {
      const args = words.remaining()
      if (args.length === 0) return words.argumentError()
      const text = args.join(' ')
      const selector = parseLabelSelector(text)
      const what = property === 'labels' ? 'label' : 'namespace_label'
      if (!selector.ok) return `unable to parse ${what} selector value: '${text}': ${selector.reason}`
      options[property === 'labels' ? 'labels' : 'namespaceLabels'] = selector.value
      return undefined
    }
    case 'fallthrough':
      options.fallThrough = fallThroughOf(words.remaining())
      return undefined
    case 'ttl': {
      const [text] = words.remaining()
      if (text === undefined) return words.argumentError()
      if (!/^[+-]?\d+$/.test(text)) return `strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`
      options.ttl = Number(text)
      if (options.ttl < 0 || options.ttl > 3600) return words.error(`ttl must be in range [0, 3600]: ${options.ttl}`)
      return undefined
    }
    case 'ignore': {
      const [what] = words.remaining()
      if (what === undefined) return undefined
      options.ignoreEmptyService = true
      return what === 'empty_service' ? undefined : `unable to parse ignore value: '${what}'`
    }
    case 'endpoint': {
      const args = words.remaining()
      options.apiServer = args[0]
      return args.length === 0 ? words.argumentError() : undefined
    }
    case 'tls':
      return words.remaining().length === 3 ? undefined : words.argumentError()
    case 'kubeconfig': {
      const args = words.remaining()
      options.apiServer = args[0]
      return args.length === 1 || args.length === 2 ? undefined : words.argumentError()
    }
    case 'startup_timeout':
    case 'apiserver_qps':
    case 'apiserver_burst':
    case 'apiserver_max_inflight':
      return parseClientProperty(property, controller)
    case 'multicluster':
      options.multiclusterZones = zonesOf(words.remaining())
      return undefined
    default:
      return words.error(`unknown property '${property}'`)
  }
}

/** How the client of the API server behaves: read for its errors, without effect on answers. */
function parseClientProperty(property: string, { words }: Controller): CorefileError | string | undefined {
  const args = words.remaining()
  if (args.length === 0) return words.argumentError()
  if (property !== 'startup_timeout') return undefined
  const text = args[0] ?? ''
  return durationSeconds(text) !== undefined
    ? undefined
    : `failed to parse startup_timeout: ${text}, time: invalid duration "${text}"`
}
