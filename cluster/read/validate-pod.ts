import { labelRule, portNameRule, refuseName, refuseText, searchRule, subdomainRule } from './names.ts'
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
import { validateScheduling } from './validate-scheduling.ts'

const MAX_NAMESERVERS = 3
const MAX_SEARCHES = 32
const MAX_SEARCH_LENGTH = 2048

/** What the API server refuses in the network part of a pod's spec (pkg/apis/core/validation ValidatePodSpec). */
export function validatePodSpec(spec: Place): void {
  refuseName(spec, 'hostname', labelRule)
  refuseName(spec, 'subdomain', labelRule)
  for (const key of ['containers', 'initContainers']) validatePorts(spec, key)
  validateNames(spec)
  validateDns(spec)
  validateScheduling(spec)
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

/** Names of containers are labels, and no two of a pod are the same. */
function validateNames(spec: Place): void {
  const names = new Set<string>()
  for (const key of ['containers', 'initContainers'])
    for (const container of children(spec, key)) {
      const name = text(container, 'name')
      refuseName(container, 'name', labelRule)
      if (name !== '' && names.has(name))
        refuse(container, 'name', { code: 'duplicate', text: `Duplicate value: "${name}"` })
      names.add(name)
    }
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
      if (name !== '' && portNameRule(name).length === 0 && names.has(name))
        refuse(port, 'name', { code: 'duplicate', text: `Duplicate value: "${name}"` })
      names.add(name)
      if (integer(port, 'hostPort', 0) === 0) continue
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
    return refuse(spec, 'dnsConfig', { code: 'required', text: why })
  }
  if (isNone && nameservers.length === 0) {
    const why = 'Required value: must provide at least one DNS nameserver when `dnsPolicy` is None'
    return refuse(config, 'nameservers', { code: 'required', text: why })
  }
  const list = listPlace(config, 'nameservers')
  for (const [i, nameserver] of nameservers.entries()) specIp(list, i, nameserver)
  if (nameservers.length > MAX_NAMESERVERS) {
    const why = `Invalid value: ${JSON.stringify(nameservers)}: must not have more than ${MAX_NAMESERVERS} nameservers`
    refuse(config, 'nameservers', { code: 'dns-limit', text: why })
  }
  const searches = texts(config, 'searches')
  const tooMuch = (why: string) =>
    refuse(config, 'searches', {
      code: 'dns-limit',
      text: `Invalid value: ${JSON.stringify(searches)}: must not have more than ${why}`,
    })
  if (searches.length > MAX_SEARCHES) tooMuch(`${MAX_SEARCHES} search paths`)
  if (searches.join(' ').length > MAX_SEARCH_LENGTH)
    tooMuch(`${MAX_SEARCH_LENGTH} characters (including spaces) in the search list`)
  for (const [i, search] of searches.entries())
    if (search !== '.')
      refuseText(listPlace(config, 'searches'), i, { written: search.replace(/\.$/, ''), rule: searchRule })
  const options = listPlace(config, 'options')
  for (const [i, option] of children(config, 'options').entries())
    if (text(option, 'name') === '') refuse(options, i, { code: 'required', text: 'Required value: must not be empty' })
}
