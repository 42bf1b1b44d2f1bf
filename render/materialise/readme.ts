import { keyOf } from '../../cluster/cluster.ts'
import type { Service } from '../../cluster/objects.ts'
import type { Built } from '../../engine/build.ts'
import { formatIp } from '../../packet/ip.ts'
import { table } from '../columns.ts'
import { opCommands } from '../commands.ts'
import { namesOnHost } from '../netns-name.ts'
import type { Materialised } from './materialise.ts'

/** README.md of the directory: what there is, how to run it, what is what, and what is not here. */
export function readmeText(built: Built, made: Materialised): string {
  return [
    '# A cluster out of network namespaces',
    '',
    'Made by podwalk. No images, no downloads: real packets through the real kernel of this machine, by plain text',
    'that can be read first.',
    '',
    '```sh',
    ...exampleLines(built),
    '```',
    '',
    'Without root: the same, without sudo, in a shell of `unshare -Urnm`, where the kernel allows that. The cluster',
    'ends with that shell. `IPTABLES_BACKEND=legacy` before up.sh takes iptables-legacy instead of iptables-nft.',
    '',
    '## Machines',
    '',
    ...block(table([['NAME', 'IS', 'ADDRESSES'], ...machineRows(built)])),
    '## Pods',
    '',
    ...block(table([['NAME', 'NODE', 'ADDRESSES'], ...podRows(built)])),
    '## Services',
    '',
    ...block(table([['NAME', 'TYPE', 'ADDRESSES', 'PORTS'], ...serviceRows(built)])),
    '## Files',
    '',
    ...FILES,
    ...notHere(built, made),
    '',
  ].join('\n')
}

const block = (lines: readonly string[]): readonly string[] => ['```', ...lines, '```', '']

function exampleLines(built: Built): readonly string[] {
  const { cluster } = built
  const pod =
    cluster.pods.find((one) => one.meta.name === 'client') ?? cluster.pods.find((one) => !one.spec.hostNetwork)
  const [node] = cluster.nodes
  const service = cluster.services.find((one) => isServed(built, one))
  const pairs: (readonly [string, string])[] = [['sudo ./up.sh', '# builds it; a second time says that it is up']]
  if (pod !== undefined) {
    const enter = `sudo ./enter.sh ${keyOf(pod.meta)}`
    pairs.push([enter, '# a shell in a pod'])
    if (service !== undefined)
      pairs.push([`${enter} curl http://${service.meta.name}.${service.meta.namespace}`, '# by its Service'])
  }
  if (node !== undefined) pairs.push([`sudo ./enter.sh ${node.meta.name} ip route`, '# on a node'])
  pairs.push(['sudo ./down.sh', '# removes what up.sh made, and nothing else'])
  return table(pairs)
}

/** It has an endpoint to answer on port 80. */
const isServed = ({ cluster }: Built, { meta, clusterIPs, ports }: Service): boolean =>
  clusterIPs.length > 0 &&
  ports.some((port) => port.protocol === 'TCP' && port.port === 80) &&
  (cluster.index.slicesOfService.get(keyOf(meta)) ?? []).some((slice) => slice.endpoints.length > 0)

const machineRows = ({ underlay }: Built): readonly (readonly string[])[] =>
  [...underlay.machines.values()].map(({ name, kind, cards }) => [
    name,
    kind === 'outside' ? 'outside host' : kind,
    cards.flatMap((card) => card.addresses.map((address) => formatIp(address.ip))).join(' '),
  ])

const podRows = ({ cluster }: Built): readonly (readonly string[])[] =>
  cluster.pods
    .filter((pod) => pod.spec.nodeName !== '')
    .map((pod) => [keyOf(pod.meta), pod.spec.nodeName, pod.ips.map(formatIp).join(' ')])

const serviceRows = ({ cluster }: Built): readonly (readonly string[])[] =>
  cluster.services.map((service) => [
    keyOf(service.meta),
    service.type,
    service.headless ? 'None' : service.clusterIPs.map(formatIp).join(' '),
    service.ports
      .map(({ port, protocol, nodePort }) => `${port}${nodePort === 0 ? '' : `:${nodePort}`}/${protocol}`)
      .join(','),
  ])

const FILES: readonly string[] = [
  '- `up.sh`, `down.sh`, `enter.sh`: see above. `.up`, while the cluster is up: what was made.',
  '- `places.txt`: which namespace is which machine or pod, and where its files are.',
  '- `netns.batch`, `links.batch`: all namespaces, then all cables and veth pairs, for `ip -batch`. Every network',
  '  segment is a switch: a bridge in a namespace of its own, which knows all MAC addresses and floods none.',
  '- `NAMESPACE.sysctl`, `.ip`, `.link.sysctl`, `.bridge`, `.ipset`, `.iptables`, `.ip6tables`, `.nft`, `.ipvs`: what',
  '  `sysctl -p`, `ip -batch`, `bridge -batch`, `ipset restore`, `iptables-restore`, `nft -f` and `ipvsadm` are given',
  '  there, in this order.',
  '- `NAMESPACE.bird.conf`: for BIRD 2, where BGP was asked for (`--bgp bird`).',
  '- `files/NAMESPACE/`: files of a machine or pod. enter.sh shows its `etc` as /etc to the command that it runs.',
  '- `servers.py`, `servers.json`: what listens in the pods. It answers HTTP with its name, and echoes the rest.',
  '- `flanneld-udp.py`: the forwarder of flannel’s UDP backend.',
  '',
]

function notHere(built: Built, made: Materialised): readonly string[] {
  const notRun = made.notRun.map(({ host, netns, program, name }) => `- ${program} (${name}) on ${host}, ${netns}`)
  const unmodelled = built.notModelled.map(({ what, missing }) => `- ${what}: ${missing}`)
  const refused = [...built.underlay.machines.keys()].flatMap((host) =>
    (built.blueprint.hosts.get(host)?.().refused ?? []).map(({ op, error }) => {
      const name = namesOnHost([op.netns])
      return `- ${host}: \`${opCommands(op, name)[0]}\`: ${error}`
    }),
  )
  return [
    '## What is not here',
    '',
    'No kubelet, no API server, no controller: nothing changes by itself. No cluster DNS: /etc/hosts of the pods has',
    'the Services instead, and /etc/resolv.conf, as kubelet writes it, names a server that does not answer.',
    '(`podwalk dns-server` in the namespace of a CoreDNS pod would answer there, with `--listen ADDRESS:53`.)',
    'There is no way out to the real network.',
    ...(notRun.length === 0 ? [] : ['', 'Programs without a stand-in, which are not run:', '', ...notRun]),
    ...(unmodelled.length === 0 ? [] : ['', 'Not modelled, and left out:', '', ...unmodelled]),
    ...(refused.length === 0 ? [] : ['', 'The kernel refuses, as it does on the real node:', '', ...refused]),
  ]
}
