import { describe, expect, it } from 'vitest'
import { podOf, podYaml, smallCluster } from '../testing/small-cluster.ts'
import { containerEnv, environText, serviceEnv } from './env.ts'

const service = (name: string, spec: string, namespace = 'shop') =>
  `---\napiVersion: v1\nkind: Service\nmetadata: { name: ${name}, namespace: ${namespace} }\nspec: { ${spec} }\n`

const KUBERNETES = [
  'KUBERNETES_SERVICE_HOST=10.96.0.1',
  'KUBERNETES_SERVICE_PORT=443',
  'KUBERNETES_SERVICE_PORT_HTTPS=443',
  'KUBERNETES_PORT=tcp://10.96.0.1:443',
  'KUBERNETES_PORT_443_TCP=tcp://10.96.0.1:443',
  'KUBERNETES_PORT_443_TCP_PROTO=tcp',
  'KUBERNETES_PORT_443_TCP_PORT=443',
  'KUBERNETES_PORT_443_TCP_ADDR=10.96.0.1',
]

const variables = (services: string, spec = '') => {
  const cluster = smallCluster(podYaml('web', spec) + services)
  return serviceEnv(cluster, podOf(cluster, 'shop/web')).map(({ name, value }) => `${name}=${value}`)
}

describe('variables of services', () => {
  it('default/kubernetes is there whatever enableServiceLinks says', () => {
    const other = service('api', 'clusterIP: 10.96.0.50, clusterIPs: [10.96.0.50], ports: [{ port: 80 }]')
    expect(variables(other, 'enableServiceLinks: false')).toEqual(KUBERNETES)
  })

  it('services of the own namespace, with each port in the form of Docker links', () => {
    const api = service(
      'my-api',
      'clusterIP: 10.96.0.50, clusterIPs: [10.96.0.50], ports: [{ name: web-a, port: 80 }, { name: b, port: 53, protocol: UDP }]',
    )
    expect(variables(api)).toEqual([
      ...KUBERNETES,
      'MY_API_SERVICE_HOST=10.96.0.50',
      'MY_API_SERVICE_PORT=80',
      'MY_API_SERVICE_PORT_WEB_A=80',
      'MY_API_SERVICE_PORT_B=53',
      'MY_API_PORT=tcp://10.96.0.50:80',
      'MY_API_PORT_80_TCP=tcp://10.96.0.50:80',
      'MY_API_PORT_80_TCP_PROTO=tcp',
      'MY_API_PORT_80_TCP_PORT=80',
      'MY_API_PORT_80_TCP_ADDR=10.96.0.50',
      'MY_API_PORT_53_UDP=udp://10.96.0.50:53',
      'MY_API_PORT_53_UDP_PROTO=udp',
      'MY_API_PORT_53_UDP_PORT=53',
      'MY_API_PORT_53_UDP_ADDR=10.96.0.50',
    ])
  })

  it('none of another namespace, of a headless service, of an external name', () => {
    const others =
      service('there', 'clusterIP: 10.96.0.51, clusterIPs: [10.96.0.51], ports: [{ port: 80 }]', 'default') +
      service('headless', 'clusterIP: None, clusterIPs: [None], ports: [{ port: 80 }]') +
      service('ext', 'type: ExternalName, externalName: www.example.com')
    expect(variables(others)).toEqual(KUBERNETES)
  })

  it('a headless service called kubernetes does not hide the one of default', () => {
    expect(variables(service('kubernetes', 'clusterIP: None, clusterIPs: [None], ports: [{ port: 80 }]'))).toEqual(
      KUBERNETES,
    )
  })

  it('one with an address does', () => {
    const own = service('kubernetes', 'clusterIP: 10.96.0.60, clusterIPs: [10.96.0.60], ports: [{ port: 80 }]')
    expect(variables(own)[0]).toBe('KUBERNETES_SERVICE_HOST=10.96.0.60')
  })

  it('an IPv6 address stands in brackets where a port follows', () => {
    const six = service(
      'six',
      'clusterIP: "fd00::5", clusterIPs: ["fd00::5"], ipFamilies: [IPv6], ports: [{ port: 80 }]',
    )
    expect(variables(six)).toContain('SIX_PORT=tcp://[fd00::5]:80')
    expect(variables(six)).toContain('SIX_SERVICE_HOST=fd00::5')
  })

  it('what the container sets itself wins', () => {
    const cluster = smallCluster(
      podYaml('web').replace(
        'image: app }',
        'image: app, env: [{ name: KUBERNETES_PORT, value: mine }, { name: A, value: b }] }',
      ),
    )
    const pod = podOf(cluster, 'shop/web')
    const text = environText(containerEnv(cluster, pod, pod.spec.containers[0]!))
    expect(text).toContain('\0HOSTNAME=web\0KUBERNETES_PORT=mine\0A=b\0KUBERNETES_SERVICE_HOST=')
    expect(text.match(/KUBERNETES_PORT=/g)).toHaveLength(1)
  })
})
