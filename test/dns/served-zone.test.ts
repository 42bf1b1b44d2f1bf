import { describe, expect, it } from 'vitest'
import { withConfigMap } from '../../cluster/changed.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import { query } from '../../dns/message.ts'
import { decodeMessage } from '../../dns/message-decode.ts'
import { encodeMessage } from '../../dns/message-encode.ts'
import { lowerName } from '../../dns/name.ts'
import { type ResourceRecord, typeOf } from '../../dns/record.ts'
import { recordText } from '../../dns/record-text.ts'
import { framed, unframed } from '../../dns/stream.ts'
import { type Built, build } from '../../engine/build.ts'
import { corefileMap } from '../../engine/coredns-pods.ts'
import { dnsAsker, dnsRoom } from '../../engine/dns-room.ts'
import { servedZone } from '../../engine/served-zone.ts'
import { formatIp } from '../../packet/ip.ts'
import { must } from '../../packet/parsed.ts'
import { LAB_NAMES, openLab } from '../labs.ts'

/** `show records`: what is printed is answered, and what is answered is printed. */

function withCorefile(built: Built, corefile: string): Built {
  const map = corefileMap(built.cluster)
  if (map === undefined) throw new Error('no Corefile')
  return build(withConfigMap(built.cluster, { ...map, data: { Corefile: corefile } }))
}

/** Asks the running program over TCP, as a client would. */
function client(built: Built): (name: string, type: string) => readonly ResourceRecord[] {
  const { room, coredns } = dnsRoom(built)
  if (coredns === undefined) throw new Error('no CoreDNS')
  const { asker, server } = must(dnsAsker(built, coredns, {}))
  return (name, type) => {
    let heard = new Uint8Array(0)
    const far = {
      send: (bytes: Uint8Array) => {
        heard = Uint8Array.from([...heard, ...bytes])
      },
      close: () => undefined,
    }
    const stream = room.stream({ ip: asker, port: 4000 }, server, far)
    stream?.send(framed(must(encodeMessage(query(7, { name, type })))))
    room.settle()
    const [message] = unframed(heard).messages
    return message === undefined ? [] : must(decodeMessage(message.slice())).answers
  }
}

/** Names that the objects suggest, made without CoreDNS's own code. */
function namesOf({ services, endpointSlices, facts }: Cluster, domain: string = facts.dnsDomain): readonly string[] {
  return services.flatMap(({ meta, ports }) => {
    const name = `${meta.name}.${meta.namespace}.svc.${domain}.`
    const own = endpointSlices.filter(
      (slice) => slice.serviceName === meta.name && slice.meta.namespace === meta.namespace,
    )
    const endpoints = own.flatMap((slice) =>
      slice.endpoints.flatMap(({ addresses, hostname }) => [
        ...(hostname === undefined ? [] : [hostname]),
        ...addresses.map((ip) => formatIp(ip).replace(/[.:]/g, '-')),
      ]),
    )
    return [
      name,
      ...ports.flatMap((port) => (port.name === '' ? [] : [`_${port.name}._${port.protocol}.${name}`])),
      ...endpoints.map((host) => `${host}.${name}`),
    ]
  })
}

const TYPES = ['A', 'AAAA', 'SRV', 'CNAME']

function expectSame(built: Built, zone?: string): readonly string[] {
  const ask = client(built)
  const { records } = must(servedZone(built, zone))
  const printed = records.map(({ record }) => recordText(record))
  const refused = records
    .filter(({ record }) => !ask(record.name, typeOf(record)).map(recordText).includes(recordText(record)))
    .map(({ record }) => recordText(record))
  expect(refused).toEqual([])
  const asked = namesOf(built.cluster)
    .map(lowerName)
    .filter((name) => zone === undefined || name.endsWith(`.${zone}.`))
  const answered = asked.flatMap((name) =>
    (name.startsWith('_') ? ['SRV'] : TYPES).flatMap((type) =>
      ask(name, type).filter((record) => record.name === name),
    ),
  )
  expect(answered.map(recordText).filter((text) => !printed.includes(text))).toEqual([])
  return printed
}

describe.each(LAB_NAMES)('%s', (name) => {
  it('prints what is answered', () => {
    const printed = expectSame(openLab(name))
    expect(printed.length).toBeGreaterThan(20)
    expect(new Set(printed).size).toBe(printed.length)
  })
})

const kubernetes = (options: string, more = ''): string =>
  `.:53 {\n    ${more}\n    kubernetes cluster.local in-addr.arpa ip6.arpa {\n        ${options}\n    }\n}\n`

describe('options of the Corefile', () => {
  const lab = openLab('textbook-flannel-vxlan')
  const printed = (corefile: string, zone?: string): readonly string[] => expectSame(withCorefile(lab, corefile), zone)

  it.each([
    ['ttl', kubernetes('ttl 77'), 'my-nginx.default.svc.cluster.local. 77 IN A 10.99.198.177', true],
    ['pods verified', kubernetes('pods verified'), '10-244-1-2.default.pod.cluster.local. 5 IN A 10.244.1.2', true],
    ['pods insecure', kubernetes('pods insecure'), '10-244-1-2.default.pod.cluster.local. 5 IN A 10.244.1.2', false],
    ['noendpoints', kubernetes('noendpoints'), 'nginx.default.svc.cluster.local. 5 IN A 10.244.1.6', false],
    [
      'namespaces',
      kubernetes('namespaces nginx-ns'),
      'my-nginx.default.svc.cluster.local. 5 IN A 10.99.198.177',
      false,
    ],
    [
      'labels',
      kubernetes('labels k8s-app=kube-dns'),
      'my-nginx.default.svc.cluster.local. 5 IN A 10.99.198.177',
      false,
    ],
    [
      'endpoint_pod_names',
      kubernetes('endpoint_pod_names'),
      '10-244-1-5.near.default.svc.cluster.local. 5 IN A 10.244.1.5',
      false,
    ],
    [
      'hosts in front',
      kubernetes('', 'hosts {\n 203.0.113.1 my-nginx.default.svc.cluster.local\n fallthrough\n }'),
      'my-nginx.default.svc.cluster.local. 3600 IN A 203.0.113.1',
      true,
    ],
    [
      'another zone',
      '.:53 {\n kubernetes other.test\n}\n',
      'my-nginx.default.svc.other.test. 5 IN A 10.99.198.177',
      true,
    ],
    [
      'acl in front',
      kubernetes('', 'acl {\n block type SRV\n }'),
      'my-nginx.default.svc.cluster.local. 5 IN SRV 0 100 80 my-nginx.default.svc.cluster.local.',
      false,
    ],
  ])('%s', (_, corefile, record, is) => {
    expect(printed(corefile).includes(record)).toBe(is)
  })

  it('one zone', () => {
    const all = printed(kubernetes(''))
    expect(printed(kubernetes(''), 'nginx-ns.svc.cluster.local')).toEqual(
      all.filter((text) => text.split(' ')[0]?.endsWith('nginx-ns.svc.cluster.local.')),
    )
  })

  it('k8s_external serves Services with an address outside', () => {
    const services = lab.cluster.services.map((service) =>
      service.meta.name === 'my-nginx'
        ? {
            ...service,
            loadBalancerIngress: [
              { hostname: '', ip: must({ ok: true, value: service.clusterIPs[0] }), ipMode: 'VIP' as const },
            ],
          }
        : service,
    )
    const built = build({ ...lab.cluster, services } as Cluster)
    const text = expectSame(withCorefile(built, kubernetes('', 'k8s_external example.org')))
    expect(text).toContain('my-nginx.default.example.org. 5 IN A 10.99.198.177')
    expect(text.filter((line) => line.includes('example.org. 5 IN A '))).toHaveLength(1)
  })

  it('what no list holds is named', () => {
    const unlisted = (corefile: string) => must(servedZone(withCorefile(lab, corefile))).unlisted
    expect(
      unlisted(
        kubernetes('pods insecure', 'forward . 192.0.2.1\n template IN A x.test {\n answer "x 1 IN A 192.0.2.2"\n }'),
      ),
    ).toEqual([
      'an address for a-b-c-d.NAMESPACE.pod.cluster.local.: kubernetes (Corefile:6), pods insecure',
      'records made of the name that is asked for: template (Corefile:3)',
      'what other servers answer: forward (Corefile:2)',
    ])
    expect(unlisted(kubernetes('pods verified'))).toEqual([])
  })

  it('a Corefile that does not start', () => {
    expect(servedZone(withCorefile(lab, '.:53 {\n    nosuch\n}\n'))).toEqual({
      ok: false,
      reason: "CoreDNS does not start: Corefile:2 - Error during parsing: Unknown directive 'nosuch'",
    })
  })
})
