import { parseIp } from '../../packet/ip.ts'
import {
  labelRule,
  type NameRule,
  portNameRule,
  refuseGivenName,
  refuseName,
  refuseText,
  subdomainRule,
} from './names.ts'
import { child, children, has, integer, listPlace, type Place, refuse, refusePort, text, texts } from './place.ts'

const WILDCARD = /^\*\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/
const WILDCARD_RULE =
  "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
const FORBIDDEN_PARTS = ['//', '/./', '/../', '%2f', '%2F']
const FORBIDDEN_ENDS = ['/..', '/.']
const PATH_TYPES = ['Exact', 'ImplementationSpecific', 'Prefix']
const CLASS_ANNOTATION = 'kubernetes.io/ingress.class'

/** What the API server refuses in an Ingress (pkg/apis/networking/validation ValidateIngressCreate). */
export function validateIngress(root: Place): void {
  const spec = child(root, 'spec')
  const rules = children(spec, 'rules')
  if (rules.length === 0 && !has(spec, 'defaultBackend'))
    refuse(root, 'spec', {
      code: 'required',
      text: `Invalid value: ${has(spec, 'rules') ? '[]' : 'null'}: either \`defaultBackend\` or \`rules\` must be specified`,
    })
  if (has(spec, 'defaultBackend')) validateBackend(child(spec, 'defaultBackend'))
  for (const rule of rules) validateRule(rule)
  for (const tls of children(spec, 'tls')) {
    const hosts = listPlace(tls, 'hosts')
    for (const [i, host] of texts(tls, 'hosts').entries()) refuseHost(hosts, i, host)
    refuseName(tls, 'secretName', subdomainRule)
  }
  refuseGivenName(spec, 'ingressClassName', subdomainRule)
  validateClass(root, spec)
}

function validateClass(root: Place, spec: Place): void {
  const annotations = child(child(root, 'metadata'), 'annotations')
  if (!has(annotations, CLASS_ANNOTATION) || !has(spec, 'ingressClassName')) return
  const annotated = text(annotations, CLASS_ANNOTATION)
  if (annotated === text(spec, 'ingressClassName')) return
  refuse(annotations, CLASS_ANNOTATION, {
    code: 'ingress-class',
    text: `Invalid value: "${annotated}": must match \`ingressClassName\` when both are specified`,
    shown: `annotations.${CLASS_ANNOTATION}`,
  })
}

const hostRule: NameRule = (host) =>
  host.includes('*') ? (WILDCARD.test(host) ? [] : [WILDCARD_RULE]) : subdomainRule(host)

const refuseHost = (place: Place, key: string | number, host: string): void =>
  refuseText(place, key, { written: host, rule: hostRule })

function validateRule(rule: Place): void {
  const host = text(rule, 'host')
  if (host !== '') {
    if (parseIp(host).ok)
      refuse(rule, 'host', {
        code: 'host-invalid',
        text: `Invalid value: "${host}": must be a DNS name, not an IP address`,
      })
    refuseHost(rule, 'host', host)
  }
  if (!has(rule, 'http')) return
  const http = child(rule, 'http')
  const paths = children(http, 'paths')
  if (paths.length === 0) refuse(http, 'paths', { code: 'required', text: 'Required value' })
  for (const path of paths) validatePath(path)
}

function validatePath(place: Place): void {
  if (!has(place, 'pathType')) {
    refuse(place, 'pathType', { code: 'required', text: 'Required value: pathType must be specified' })
    return
  }
  const [type, path] = [text(place, 'pathType'), text(place, 'path')]
  const wrong = (why: string) =>
    refuse(place, 'path', { code: 'path-invalid', text: `Invalid value: "${path}": ${why}` })
  if (!PATH_TYPES.includes(type)) {
    const supported = PATH_TYPES.map((one) => `"${one}"`).join(', ')
    refuse(place, 'pathType', {
      code: 'value-unknown',
      text: `Unsupported value: "${type}": supported values: ${supported}`,
    })
  } else if (!path.startsWith('/') && (type !== 'ImplementationSpecific' || path !== ''))
    wrong('must be an absolute path')
  if (type === 'Exact' || type === 'Prefix') {
    for (const part of FORBIDDEN_PARTS) if (path.includes(part)) wrong(`must not contain '${part}'`)
    for (const end of FORBIDDEN_ENDS) if (path.endsWith(end)) wrong(`cannot end with '${end}'`)
  }
  validateBackend(child(place, 'backend'))
}

function validateBackend(backend: Place): void {
  const wrong = (why: string) =>
    refuse(backend, undefined, { code: 'backend-invalid', text: `Invalid value: "": ${why}` })
  const [hasResource, hasService] = [has(backend, 'resource'), has(backend, 'service')]
  if (hasResource && hasService) return wrong('cannot set both resource and service backends')
  if (!hasResource && !hasService) return wrong('resource or service backend is required')
  if (hasResource) {
    const resource = child(backend, 'resource')
    refuseGivenName(resource, 'apiGroup', subdomainRule)
    for (const key of ['kind', 'name'])
      if (text(resource, key) === '') refuse(resource, key, { code: 'required', text: 'Required value' })
      else refuseName(resource, key, pathSegmentRule)
    return
  }
  const service = child(backend, 'service')
  if (text(service, 'name') === '') refuse(service, 'name', { code: 'required', text: 'Required value' })
  else refuseName(service, 'name', labelRule)
  const port = child(service, 'port')
  const [name, number] = [text(port, 'name'), integer(port, 'number', 0)]
  if (name !== '' && number !== 0) wrong('cannot set both port name & port number')
  else if (name !== '') refuseName(port, 'name', portNameRule)
  else if (number !== 0) refusePort(port, 'number', number)
  else refuse(backend, undefined, { code: 'required', text: 'Required value: port name or number is required' })
}

/** IsPathSegmentName (k8s.io/apimachinery pkg/api/validate/content): what may stand in a URL. */
const pathSegmentRule: NameRule = (name) => {
  if (name === '.' || name === '..') return [`may not be '${name}'`]
  return ['/', '%'].filter((part) => name.includes(part)).map((part) => `may not contain '${part}'`)
}
