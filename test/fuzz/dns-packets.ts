import { answer } from '../../dns/coredns/answer.ts'
import { dnsApiView } from '../../dns/coredns/api-view.ts'
import type { Arrival, Server } from '../../dns/coredns/server.ts'
import { standingServers } from '../../dns/coredns/standing-servers.ts'
import { query } from '../../dns/message.ts'
import { decodeHeader, decodeMessage } from '../../dns/message-decode.ts'
import { encodeMessage } from '../../dns/message-encode.ts'
import { smallCluster } from '../../dns/testing/small-cluster.ts'
import { ip } from '../../packet/ip.ts'
import { type Random, randomOf } from './random.ts'

/** A chain with every plugin that takes part in an answer. */
const COREFILE = `. {
  metadata
  nsid fuzz
  bufsize 1400
  errors
  log . "{combined} {/kubernetes/service} {local}"
  local
  dns64 {
    allow_ipv4
  }
  any
  chaos V A B
  loadbalance
  rewrite continue edns0 local set 0xffee x revert
  rewrite continue ttl suffix .test 5-60
  rewrite name suffix .alias.test .svc.cluster.local answer auto
  rewrite name regex (.*)\\.(.*)\\.rx\\.test {2}.{1}.z.test
  autopath @kubernetes
  acl {
    filter type TXT net 10.9.0.0/16
    allow
  }
  cache 30
  header {
    response set ra
  }
  minimal
  template IN A t.test {
    match ^(.*)\\.t\\.test\\.$
    answer "{{ .Name }} 60 IN TXT {{ index .Match 1 | len }}"
    fallthrough
  }
  hosts {
    10.0.0.1 h.test *.w.test
    fallthrough
  }
  k8s_external ext.test {
    fallthrough
  }
  kubernetes cluster.local in-addr.arpa ip6.arpa {
    pods verified
    fallthrough
  }
  file /z z.test
  whoami
}
`
const ZONE = '@ 60 IN SOA ns admin 7 1 2 3 4\n@ NS ns\nns A 192.0.2.1\n*.w CNAME a.b\na.b DNAME ns\nl CNAME l\n'

const NAMES = [
  '.',
  'kubernetes.default.svc.cluster.local.',
  '_https._tcp.kubernetes.default.svc.cluster.local.',
  'kubernetes.default.alias.test.',
  'dns-version.cluster.local.',
  '1.0.96.10.in-addr.arpa.',
  'a.b.rx.test.',
  'x.w.z.test.',
  'q.a.b.z.test.',
  'l.z.test.',
  'aa.t.test.',
  'x.w.test.',
  'kubernetes.default.ext.test.',
  'version.bind.',
  'localhost.',
]
const TYPES = ['A', 'AAAA', 'SRV', 'TXT', 'PTR', 'NS', 'SOA', 'ANY', 'AXFR', 'MX', 'DS', 'TYPE65280', 'OPT', 'CNAME']
const MOST_OCTETS = 600

/** A packet that is random, or a query that was changed: by its seed, always the same. */
export function packetOf(seed: number): Uint8Array {
  const random = randomOf(seed)
  if (random.below(5) === 0) return octets(random, random.below(MOST_OCTETS))
  const edns =
    random.below(2) === 0
      ? {
          size: random.below(5000),
          version: random.below(20) === 0 ? 1 : 0,
          dnssecOk: random.below(2) === 0,
          options: [],
        }
      : undefined
  const name = NAMES[random.below(NAMES.length)] ?? '.'
  const type = TYPES[random.below(TYPES.length)] ?? 'A'
  const cls = random.below(10) === 0 ? 'CH' : 'IN'
  const made = encodeMessage(query(random.below(0x10000), { name, type, class: cls }, edns && { edns }))
  let bytes = made.ok ? Uint8Array.from(made.value) : new Uint8Array(0)
  for (let i = random.below(6); i > 0; i--) bytes = changed(random, bytes)
  return bytes
}

const octets = (random: Random, count: number): Uint8Array =>
  Uint8Array.from({ length: count }, () => random.below(256))

function changed(random: Random, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const at = random.below(bytes.length + 1)
  switch (random.below(6)) {
    case 0:
      return bytes.slice(0, at)
    case 1:
      return Uint8Array.from([...bytes.slice(0, at), ...octets(random, 1 + random.below(20)), ...bytes.slice(at)])
    case 2:
      return Uint8Array.from([...bytes.slice(0, at), ...bytes.slice(at + 1 + random.below(8))])
    case 3:
      // A compression pointer, often into itself.
      return Uint8Array.from([...bytes.slice(0, at), 0xc0, random.below(64), ...bytes.slice(at)])
    default: {
      const copy = Uint8Array.from(bytes)
      if (at < copy.length)
        copy[at] = random.below(4) === 0 ? (copy[at] ?? 0) ^ (1 << random.below(8)) : random.below(256)
      return copy
    }
  }
}

/** The server that is asked, with a search path for the pods that ask. */
export function fuzzedServer(): Server {
  const files: Readonly<Record<string, string>> = {
    '/z': ZONE,
    '/etc/resolv.conf': 'search z.test\nnameserver 1.1.1.1\n',
  }
  const standing = standingServers({
    corefile: { name: 'Corefile', text: COREFILE, folder: '/' },
    world: {
      api: dnsApiView(smallCluster(), 1),
      file: (path) => files[path],
      addresses: () => [ip('10.244.0.2')],
      hostname: 'coredns',
    },
    draw: () => 0,
  })
  const [server] = standing.ok ? standing.value.servers : []
  if (!server) throw new Error(standing.ok ? 'no server' : standing.reason)
  return server
}

/** Asks one packet. Throws where the server does, or where it sends what is no reply to it. */
export function askPacket(server: Server, seed: number): void {
  const bytes = packetOf(seed)
  const transport = seed % 7 === 0 ? 'tcp' : 'udp'
  const arrival: Arrival = { bytes, client: { ip: ip('10.9.1.7'), port: 4000 }, local: ip('10.244.0.2'), transport }
  const reply = answer(server, arrival)
  server.takenNotes()
  decodeMessage(bytes)
  if (!reply) return
  const asked = decodeHeader(bytes)
  const told = decodeMessage(reply)
  if (!told.ok) throw new Error(`the reply cannot be read: ${told.reason}`)
  if (told.value.id !== asked?.id || !told.value.flags.response) throw new Error('it is no reply to the query')
  if (transport === 'udp' && reply.length > 1400 && (asked?.counts[3] ?? 0) === 0)
    throw new Error('larger than asked for')
}
