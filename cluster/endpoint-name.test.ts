import { describe, expect, it } from 'vitest'
import { formatIp } from '../packet/ip.ts'
import { parseEndpointName } from './endpoint-name.ts'
import { findOne, findPod } from './find-object.ts'
import { loadText, node } from './testing/load-text.ts'

describe('how the ends of a question are named', () => {
  const parse = (text: string): string => {
    const result = parseEndpointName(text)
    if (!result.ok) return `refused: ${result.reason}`
    const name = result.value
    const port =
      'port' in name && typeof name.port === 'object'
        ? `:${name.port.port}${name.port.protocol === undefined ? '' : `/${name.port.protocol}`}`
        : ''
    switch (name.kind) {
      case 'object':
        return `${name.object} ${name.namespace ?? '?'} ${name.name}${port}`
      case 'address':
        return `ip ${formatIp(name.ip)}${port}`
      case 'name':
        return `name ${name.name}${port}`
      default:
        return `${name.scheme} ${name.host} ${name.port} ${name.path}`
    }
  }
  it.each([
    ['pod/web-0', 'pod ? web-0'],
    ['po/web-0', 'pod ? web-0'],
    ['POD/web-0', 'pod ? web-0'],
    ['pod/shop/web-0:80', 'pod shop web-0:80'],
    ['shop/web-0', 'pod shop web-0'],
    ['svc/db:5432', 'svc ? db:5432'],
    ['service/shop/db:sql', 'svc shop db:sql'],
    ['svc/dns:53/udp', 'svc ? dns:53/UDP'],
    ['svc/dns:dns/SCTP', 'svc ? dns:dns/SCTP'],
    ['deploy/web', 'deploy ? web'],
    ['sts/web', 'sts ? web'],
    ['ds/agent', 'ds ? agent'],
    ['node/node1:22', 'node ? node1:22'],
    ['ing/shop', 'ing ? shop'],
    ['ext/laptop', 'ext ? laptop'],
    ['10.96.0.10', 'ip 10.96.0.10'],
    ['10.96.0.10:53/udp', 'ip 10.96.0.10:53/UDP'],
    ['fd00::1', 'ip fd00::1'],
    ['[fd00::1]:80', 'ip fd00::1:80'],
    ['[fd00::1]', 'ip fd00::1'],
    ['www.example.com', 'name www.example.com'],
    ['www.example.com.:443', 'name www.example.com.:443'],
    ['my-nginx', 'name my-nginx'],
    ['http://my-nginx', 'http my-nginx 80 /'],
    ['https://my-nginx.shop', 'https my-nginx.shop 443 /'],
    ['http://[fd00::1]:8080/a?b=c', 'http fd00::1 8080 /a?b=c'],
  ])('%s is %s', (text, expected) => expect(parse(text)).toBe(expected))

  it.each([
    [''],
    ['10.244.1'],
    ['10.244.1.300'],
    ['010.0.0.1'],
    ['fd00::1::2'],
    ['svc/db:0'],
    ['svc/db:70000'],
    ['svc/db:80/icmp'],
    ['svc//db'],
    ['svc/a/b/c'],
    ['widget/a/b'],
    ['ftp://x'],
    ['http://'],
    ['http://x:99999'],
  ])('"%s" is refused with a reason', (text) => expect(parse(text)).toMatch(/^refused: .{10,}/))
})

describe('finding what was named', () => {
  const pod = (namespace: string, name: string) =>
    `{apiVersion: v1, kind: Pod, metadata: {name: ${name}, namespace: ${namespace}}}\n---\n`
  const { cluster } = loadText(
    `${node('n1', 1)}${pod('default', 'web')}${pod('shop', 'web')}${pod('shop', 'cart')}${pod('pay', 'cards')}${pod('a1', 'twin')}${pod('b1', 'twin')}{apiVersion: apps/v1, kind: Deployment, metadata: {name: api, namespace: shop}, spec: {replicas: 2, template: {}}}\n`,
  )
  const find = (name: string, namespace?: string) => {
    const result = findOne('pod', cluster.pods, { name, namespace, fallback: 'default' })
    return result.ok ? `${result.value.meta.namespace}/${result.value.meta.name}` : result.reason
  }
  it.each([
    ['in the namespace that counts without one', 'web', undefined, 'default/web'],
    ['in its namespace', 'web', 'shop', 'shop/web'],
    ['wherever it is alone', 'cart', undefined, 'shop/cart'],
    [
      'in several: none is chosen',
      'twin',
      undefined,
      'there are several of that name: pod/a1/twin, pod/b1/twin. Say which',
    ],
    ['nearly', 'crds', undefined, 'there is no pod crds. Did you mean pod/pay/cards?'],
    ['not at all', 'zzzzzzzz', undefined, 'there is no pod zzzzzzzz'],
    ['elsewhere', 'cart', 'default', 'there is no pod cart in namespace default. Did you mean pod/shop/cart?'],
  ])('%s', (_, name, namespace, expected) => expect(find(name, namespace)).toBe(expected))

  it('a workload is its first running pod, through its ReplicaSet, not that of another workload', () => {
    const deployment = (name: string) =>
      `{apiVersion: apps/v1, kind: Deployment, metadata: {name: ${name}}, spec: {replicas: 2, template: {metadata: {labels: {app: ${name}}}}}}\n---\n`
    const { cluster } = loadText(
      `${node('n1', 1)}${deployment('web-api')}${deployment('web')}{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: db}, spec: {template: {}}}\n---\n{apiVersion: apps/v1, kind: Deployment, metadata: {name: none}, spec: {replicas: 0, template: {}}}\n`,
    )
    const podOf = (object: 'deploy' | 'sts', name: string) => {
      const result = findPod(cluster, object, { name, namespace: undefined, fallback: 'default' })
      return result.ok ? (result.value.meta.labels.app ?? result.value.meta.name) : result.reason
    }
    expect(podOf('deploy', 'web')).toBe('web')
    expect(podOf('deploy', 'web-api')).toBe('web-api')
    expect(podOf('sts', 'db')).toBe('db-0')
    expect(podOf('deploy', 'none')).toBe('Deployment default/none has no pod')
  })
})
