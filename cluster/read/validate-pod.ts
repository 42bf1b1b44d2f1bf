import { labelRule, portNameRule, refuseName, refuseText, subdomainRule } from './names.ts'
import {
  child,
  children,
  flag,
  has,
  integer,
  listPlace,
  type Place,
  refuse,
  refusePort,
  specIp,
  text,
  texts,
} from './place.ts'

const MAX_NAMESERVERS = 3
const MAX_SEARCHES = 32
const MAX_SEARCH_LENGTH = 2048

/** What the API server refuses in the network part of a pod's spec (pkg/apis/core/validation ValidatePodSpec). */
export function validatePodSpec(spec: Place): void {
  refuseName(spec, 'hostname', labelRule)
  refuseName(spec, 'subdomain', labelRule)
  for (const key of ['containers', 'initContainers']) validatePorts(spec, key)
  validateDns(spec)
  for (const alias of children(spec, 'hostAliases')) {
    specIp(alias, 'ip', text(alias, 'ip'))
    refuseNames(alias, 'hostnames')
  }
}

/** Each of some names is a subdomain. */
function refuseNames(place: Place, key: string): void {
  for (const [i, name] of texts(place, key).entries())
    refuseText(listPlace(place, key), i, { written: name, rule: subdomainRule })
}

function validatePorts(spec: Place, key: string): void {
  const hostNetwork = flag(spec, 'hostNetwork')
  // Ports of the host are taken once in a pod; init containers that end give theirs back.
  const taken = new Set<string>()
  for (const container of children(spec, key)) {
    const names = new Set<string>()
    for (const port of children(container, 'ports')) {
      const name = text(port, 'name')
      refuseName(port, 'name', portNameRule)
      if (name !== '' && names.has(name))
        refuse(port, 'name', { code: 'duplicate', text: `Duplicate value: "${name}"` })
      names.add(name)
      if (!has(port, 'hostPort')) continue
      const hostPort = integer(port, 'hostPort', 0)
      if (hostPort !== 0) refusePort(port, 'hostPort', hostPort)
      if (hostNetwork && hostPort !== integer(port, 'containerPort', 0)) {
        const why = `Invalid value: ${hostPort}: must match \`containerPort\` when \`hostNetwork\` is true`
        refuse(port, 'hostPort', { code: 'host-port', text: why })
      }
      const claim = `${text(port, 'protocol') || 'TCP'}/${text(port, 'hostIP')}/${hostPort}`
      if (hostPort !== 0 && key === 'containers' && taken.has(claim))
        refuse(port, 'hostPort', { code: 'duplicate', text: `Duplicate value: "${claim}"` })
      taken.add(claim)
    }
  }
}

function validateDns(spec: Place): void {
  const config = child(spec, 'dnsConfig')
  const nameservers = texts(config, 'nameservers')
  const isNone = text(spec, 'dnsPolicy') === 'None'
  if (isNone && !has(spec, 'dnsConfig')) {
    const why = 'Required value: must provide `dnsConfig` when `dnsPolicy` is None'
    refuse(spec, 'dnsConfig', { code: 'required', text: why })
  } else if (isNone && nameservers.length === 0) {
    const why = 'Required value: must provide at least one DNS nameserver when `dnsPolicy` is None'
    refuse(config, 'nameservers', { code: 'required', text: why })
  }
  const list = listPlace(config, 'nameservers')
  for (const [i, nameserver] of nameservers.entries()) specIp(list, i, nameserver)
  if (nameservers.length > MAX_NAMESERVERS) {
    const why = `Invalid value: ${JSON.stringify(nameservers)}: must not have more than ${MAX_NAMESERVERS} nameservers`
    refuse(config, 'nameservers', { code: 'dns-limit', text: why })
  }
  const searches = texts(config, 'searches')
  const tooMany = searches.length > MAX_SEARCHES
  if (tooMany || searches.join(' ').length > MAX_SEARCH_LENGTH) {
    const limit = tooMany
      ? `${MAX_SEARCHES} search paths`
      : `${MAX_SEARCH_LENGTH} characters (including spaces) in the search list`
    refuse(config, 'searches', { code: 'dns-limit', text: `Invalid value: must not have more than ${limit}` })
  }
  for (const option of children(config, 'options'))
    if (text(option, 'name') === '') refuse(option, 'name', { code: 'required', text: 'Required value' })
}
