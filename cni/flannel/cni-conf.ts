import { type Parsed, parsed, refused } from '../../packet/parsed.ts'
import { type GoObject, goBoolean, goField, goNumber, goObject, goString, isObject, parseGoObject } from '../go-json.ts'

/** What the flannel CNI plugin hands on to the plugin it delegates to (flannel-io/cni-plugin flannel_linux.go). */
export interface CniConf {
  readonly name: string
  /** `bridge` unless said. */
  readonly delegateType: string
  readonly bridge: string
  readonly hairpinMode: boolean
  readonly promiscMode: boolean
  readonly isDefaultGateway: boolean
  /** Undefined: the opposite of flanneld's --ip-masq. */
  readonly ipMasq: boolean | undefined
  /** Undefined: FLANNEL_MTU. */
  readonly mtu: number | undefined
  /** A portmap plugin stands behind it. */
  readonly portmap: boolean
}

/** The configuration that flannel's manifest ships (Documentation/kube-flannel.yml). */
export const STOCK_CNI_CONF: CniConf = {
  name: 'cbr0',
  delegateType: 'bridge',
  bridge: 'cni0',
  hairpinMode: true,
  promiscMode: false,
  isDefaultGateway: true,
  ipMasq: undefined,
  mtu: undefined,
  portmap: true,
}

/** Reads cni-conf.json: a list of plugins, or the single plugin of old manifests. */
export function parseCniConf(text: string): Parsed<CniConf> {
  const json = parseGoObject(text)
  if (!json.ok) return json
  const list = goField(json.value, 'plugins')
  const plugins = (Array.isArray(list) ? list : [json.value]).filter(isObject)
  const flannel = plugins.find((plugin) => goString(plugin, 'type') === 'flannel')
  if (flannel === undefined) return refused('no plugin of type flannel is in it')
  const delegate: GoObject = goObject(flannel, 'delegate') ?? {}
  return parsed({
    name: goString(json.value, 'name') ?? 'cbr0',
    delegateType: goString(delegate, 'type') ?? 'bridge',
    bridge: goString(delegate, 'bridge') ?? 'cni0',
    hairpinMode: goBoolean(delegate, 'hairpinMode') ?? false,
    promiscMode: goBoolean(delegate, 'promiscMode') ?? false,
    isDefaultGateway: goBoolean(delegate, 'isDefaultGateway') ?? false,
    ipMasq: goBoolean(delegate, 'ipMasq'),
    mtu: goNumber(delegate, 'mtu'),
    portmap: plugins.some((plugin) => goString(plugin, 'type') === 'portmap'),
  })
}
