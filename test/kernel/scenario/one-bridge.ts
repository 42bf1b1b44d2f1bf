import type { Op } from '../../../linux/op.ts'
import type { LabMachine } from '../lab.ts'
import type { Scenario } from '../scenario.ts'
import { addr, bridge, inNetns, inRoot, port, route, sysctl, up, veth } from './words.ts'

/** One machine: a bridge cni0 with two pods, `a` and `b`; addresses of both families. */
export function bridgeMachine(more: readonly Op[] = [], ipv6 = false): LabMachine {
  const pod = (name: string, last: number): Op[] => [
    ...inNetns(name, { kind: 'netns.add' }),
    ...inRoot(
      veth(`veth-${name}`, `0e:58:0a:f4:01:0${last}`, { netns: name, name: 'eth0', mac: `0a:58:0a:f4:01:0${last}` }),
      port(`veth-${name}`, 'cni0'),
      up(`veth-${name}`),
    ),
    ...inNetns(
      name,
      up('lo'),
      up('eth0'),
      addr('eth0', `10.244.1.${last}/24`, '10.244.1.255'),
      route('0.0.0.0/0', { via: '10.244.1.1', dev: 'eth0' }),
      ...(ipv6
        ? [addr('eth0', `fd00:10:244:1::${last}/64`), route('::/0', { via: 'fd00:10:244:1::1', dev: 'eth0' })]
        : []),
    ),
  ]
  return {
    name: 'node1',
    ops: [
      ...inRoot(
        up('lo'),
        sysctl('net.ipv4.ip_forward', 1),
        ...(ipv6 ? [sysctl('net.ipv6.conf.all.forwarding', 1)] : []),
        bridge('cni0', '12:58:0a:f4:01:01'),
        addr('cni0', '10.244.1.1/24', '10.244.1.255'),
        ...(ipv6 ? [addr('cni0', 'fd00:10:244:1::1/64')] : []),
        up('cni0'),
      ),
      ...pod('a', 2),
      ...pod('b', 3),
      ...more,
    ],
  }
}

const A = { host: 'node1', netns: 'a' }
const B = { host: 'node1', netns: 'b' }

const pair = (family: 4 | 6): Omit<Scenario, 'name' | 'about' | 'flows' | 'standing'> => ({
  lab: { hosts: [bridgeMachine([], family === 6)] },
})
const other = (family: 4 | 6): string => (family === 4 ? '10.244.1.3' : 'fd00:10:244:1::3')

export const oneBridge: readonly Scenario[] = ([4, 6] as const).flatMap((family): Scenario[] => [
  {
    ...pair(family),
    name: `bridge-v${family}-tcp`,
    about: `Two pods on one bridge, IPv${family}: connect, one message and its echo, the client closes, then the server.`,
    standing: [{ ...B, program: 'listen', protocol: 'tcp', family, port: 80 }],
    flows: [{ ...A, protocol: 'tcp', to: { ip: other(family), port: 80 }, sends: ['hello'] }],
  },
  {
    ...pair(family),
    name: `bridge-v${family}-tcp-no-data`,
    about: `Two pods on one bridge, IPv${family}: connect and close at once.`,
    standing: [{ ...B, program: 'listen', protocol: 'tcp', family, port: 80 }],
    flows: [{ ...A, protocol: 'tcp', to: { ip: other(family), port: 80 }, sends: [] }],
  },
  {
    ...pair(family),
    name: `bridge-v${family}-tcp-two-messages`,
    about: `Two messages of 3000 octets, each echoed, on one connection, IPv${family}.`,
    standing: [{ ...B, program: 'listen', protocol: 'tcp', family, port: 80 }],
    flows: [{ ...A, protocol: 'tcp', to: { ip: other(family), port: 80 }, sends: [3000, 3000] }],
  },
  {
    ...pair(family),
    name: `bridge-v${family}-tcp-closed`,
    about: `Nobody listens on the port: RST, IPv${family}.`,
    standing: [],
    flows: [{ ...A, protocol: 'tcp', to: { ip: other(family), port: 81 }, sends: [] }],
  },
  {
    ...pair(family),
    name: `bridge-v${family}-udp`,
    about: `A datagram and its echo between two pods on one bridge, IPv${family}.`,
    standing: [{ ...B, program: 'listen', protocol: 'udp', family, port: 53 }],
    flows: [{ ...A, protocol: 'udp', to: { ip: other(family), port: 53 }, sends: ['question'] }],
  },
  {
    ...pair(family),
    name: `bridge-v${family}-udp-closed`,
    about: `Nobody listens on the port: ICMP port unreachable, which a connected socket is told, IPv${family}.`,
    standing: [],
    flows: [{ ...A, protocol: 'udp', to: { ip: other(family), port: 54 }, sends: ['question'] }],
  },
  {
    ...pair(family),
    name: `bridge-v${family}-udp-big`,
    about: `3000 octets in one datagram: the sender makes fragments, IPv${family}.`,
    standing: [{ ...B, program: 'listen', protocol: 'udp', family, port: 53 }],
    flows: [{ ...A, protocol: 'udp', to: { ip: other(family), port: 53 }, sends: [3000] }],
  },
  {
    ...pair(family),
    name: `bridge-v${family}-ping`,
    about: `Echo request and reply between two pods on one bridge, IPv${family}.`,
    standing: [],
    flows: [{ ...A, protocol: 'icmp', to: { ip: other(family), port: 0 }, sends: [56] }],
  },
  {
    ...pair(family),
    name: `bridge-v${family}-ping-gateway`,
    about: `A pod pings the bridge's own address, IPv${family}.`,
    standing: [],
    flows: [
      { ...A, protocol: 'icmp', to: { ip: family === 4 ? '10.244.1.1' : 'fd00:10:244:1::1', port: 0 }, sends: [56] },
    ],
  },
  {
    ...pair(family),
    name: `bridge-v${family}-ping-node-to-pod`,
    about: `The machine itself pings a pod, IPv${family}.`,
    standing: [],
    flows: [{ host: 'node1', netns: 'root', protocol: 'icmp', to: { ip: other(family), port: 0 }, sends: [56] }],
  },
  {
    ...pair(family),
    name: `bridge-v${family}-ping-loopback`,
    about: `A pod pings its own address: over lo, IPv${family}.`,
    standing: [],
    flows: [{ ...B, protocol: 'icmp', to: { ip: other(family), port: 0 }, sends: [56] }],
  },
  {
    ...pair(family),
    name: `bridge-v${family}-no-neighbour`,
    about: `Nobody has the address: three requests one second apart, then the sender is told, IPv${family}.`,
    standing: [],
    observeMs: 4300,
    flows: [
      { ...A, protocol: 'icmp', to: { ip: family === 4 ? '10.244.1.99' : 'fd00:10:244:1::99', port: 0 }, sends: [56] },
    ],
  },
])
