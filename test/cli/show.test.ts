import { describe, expect, test } from 'vitest'
import { SHOWN, type SHOWN_OF_CLUSTER, type ShownNoun } from '../../render/show.ts'
import { LAB_NAMES, openLab } from '../labs.ts'
import { podwalk } from './run-podwalk.ts'

/** `show` speaks as the node's own tools do, for every noun, node and pod of every lab. */

type MachineNoun = Exclude<ShownNoun, keyof typeof SHOWN_OF_CLUSTER>
const NOUNS = Object.keys(SHOWN) as readonly MachineNoun[]

/** The shape of each line of what a tool prints. */
const LINES: Readonly<Record<MachineNoun, RegExp>> = {
  addr: /^(\d+: \S+: <[A-Z_,0-9]*> mtu \d+ |\s+(link\/|inet6? |valid_lft ))/,
  commands: /^(ip |bridge |sysctl |iptables |ip6tables |ipset |printf |mkdir |cat |# |[A-Za-z/.\-\d:]|$|\s)/,
  conntrack: /^(tcp|udp|icmp) +\d+ \d+ .*src=\S+ dst=\S+ .*src=\S+ dst=\S+ .*mark=0 use=1$/,
  env: /^[A-Z_][A-Z0-9_]*=/i,
  fdb: /^([0-9a-f]{2}:){5}[0-9a-f]{2} dev \S+/,
  hosts: /^(#|[0-9a-f.:]+\t\S|$)/,
  ip6tables: /^(\*\w+|:\S+ \S+ \[0:0\]|-A \S+|COMMIT)$|^-A /,
  ipset: /^(create|add) /,
  iptables: /^(\*\w+|:\S+ \S+ \[0:0\]|-A \S+|COMMIT)$|^-A /,
  ipvs: /^(IP Virtual Server|Prot |(TCP|UDP|SCTP) | {2}-> )/,
  link: /^(\d+: \S+: <|\s)/,
  neigh: /^\S+ dev \S+ /,
  nft: /^(table |\}$|\t|$)/,
  recent: /^\/proc\/net\/xt_recent\/\S+:src=\S+ ttl: \d+ last_seen: \d+ oldest_pkt: \d+ \d/,
  resolv: /^(nameserver|search|options) /,
  route: /^((default|blackhole|unreachable|[0-9a-f.:/]+) ?|\s)/,
  rule: /^\d+:\tfrom /,
  sysctl: /^[\w.\-/]+ = /,
}

/** What only traffic makes. */
const AFTERWARDS: readonly MachineNoun[] = ['conntrack', 'recent']
const QUESTION = ['--from', 'pod/client', '--to', 'svc/my-nginx:80', '--repeat', '2'] as const

/** What only pods have. */
const OF_PODS: readonly MachineNoun[] = ['env']

describe.each(LAB_NAMES)('%s', (lab) => {
  const { cluster } = openLab(lab)
  const node = cluster.nodes.find(({ meta }) => meta.name === 'xianchaonode1')?.meta.name ?? ''

  test.each(NOUNS)('%s of a node', (noun) => {
    const asked = AFTERWARDS.includes(noun) ? QUESTION : []
    const ran = podwalk('show', noun, '--node', node, '--lab', lab, ...asked)
    if (OF_PODS.includes(noun)) return expect(ran).toMatchObject({ code: 2, out: '' })
    expect(ran).toMatchObject({ code: 0, err: '' })
    expect(wrongLines(noun, ran.out)).toEqual([])
  })

  test.each(NOUNS)('%s of a pod', (noun) => {
    const asked = AFTERWARDS.includes(noun) ? QUESTION : []
    const ran = podwalk('show', noun, '--pod', 'client', '--lab', lab, ...asked)
    expect(ran).toMatchObject({ code: 0, err: '' })
    expect(wrongLines(noun, ran.out)).toEqual([])
  })

  test('a node and a pod have what makes them reachable', () => {
    const of = (noun: ShownNoun, ...place: readonly string[]) => podwalk('show', noun, ...place, '--lab', lab).out
    expect(of('route', '--node', node)).toMatch(/^default via 192\.168\.40\.2 dev ens33/)
    expect(of('iptables', '--node', node)).toContain('-A KUBE-SERVICES -d 10.99.198.177/32')
    expect(of('resolv', '--pod', 'client')).toContain('nameserver 10.96.0.10\noptions ndots:5')
    expect(of('env', '--pod', 'client')).toContain('KUBERNETES_SERVICE_HOST=10.96.0.1')
    expect(of('addr', '--pod', 'client')).toMatch(/inet 10\.244\.\d+\.\d+\//)
    expect(of('hosts', '--pod', 'client')).toContain('127.0.0.1\tlocalhost')
    expect(of('link', '--node', node)).toMatch(/^1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536/)
  })
})

const wrongLines = (noun: MachineNoun, text: string): readonly string[] =>
  text
    .split('\n')
    .slice(0, -1)
    .filter((line) => !LINES[noun].test(line))

test('both families, and tables by name', () => {
  const six = podwalk('show', 'route', '-6', '--node', 'xianchaonode1').out
  expect(six).toContain('fe80::/64 dev ')
  expect(podwalk('show', 'route', '--node', 'xianchaonode1').out).not.toContain('fe80')
  expect(podwalk('show', 'route', '--table', 'local', '--node', 'xianchaonode1').out).toMatch(/^(local|broadcast) /m)
  expect(podwalk('show', 'rule', '--node', 'xianchaonode1').out).toMatch(/^0:\tfrom all lookup local$/m)
})

test('a pod by NAMESPACE/NAME, by -n, and on the host network', () => {
  const dns = podwalk('show', 'addr', '--pod', 'kube-system/coredns-5c677f7c79-d98t5')
  expect(dns.code).toBe(0)
  expect(podwalk('show', 'addr', '--pod', 'coredns-5c677f7c79-d98t5', '-n', 'kube-system').out).toBe(dns.out)
})

test('routers and hosts outside have tables too', () => {
  expect(podwalk('show', 'route', '--node', 'gw').out).toMatch(/^default via /)
  expect(podwalk('show', 'addr', '--node', 'laptop').out).toContain('203.0.113.10')
})

describe('the entries of one Service', () => {
  const shown = (noun: string, ...more: readonly string[]): readonly string[] =>
    podwalk('show', noun, '--node', 'xianchaonode1', '--service', 'my-nginx', ...more)
      .out.split('\n')
      .slice(0, -1)

  test.each([
    ['iptables', [], /^(\*nat|:KUBE-\S+ - \[0:0\]|-A KUBE-.*|COMMIT)$/],
    ['nft', ['--proxy', 'nftables'], /^(table ip kube-proxy |\}$|\t|$)/],
    ['ipvs', ['--proxy', 'ipvs'], /^(IP Virtual|Prot |TCP .*:(80|30380) rr| {2}-> )/],
  ] as const)('%s', (noun, more, line) => {
    const lines = shown(noun, ...more)
    expect(lines.filter((one) => !line.test(one))).toEqual([])
    expect(lines.length).toBeGreaterThan(8)
    expect(lines.join('\n')).toContain('10.244.1.4')
    expect(lines.join('\n')).not.toContain('10.96.0.10')
    const whole = podwalk('show', noun, '--node', 'xianchaonode1', ...more).out.split('\n')
    const rules = noun === 'iptables' ? lines.filter((one) => one.startsWith('-A')) : []
    expect(rules.filter((one) => !whole.includes(one))).toEqual([])
  })

  test.each([
    ['iptables', [], '-A '],
    ['nft', ['--proxy', 'nftables'], 'meta l4proto'],
    ['ipvs', ['--proxy', 'ipvs'], 'TCP '],
  ] as const)('%s with the origin behind each', (noun, more, start) => {
    const lines = shown(noun, '--origin', ...more).filter((one) => one.trimStart().startsWith(start))
    expect(lines.length).toBeGreaterThan(0)
    for (const one of lines)
      expect(one).toMatch(/ {2}# by kube-proxy for Service default\/my-nginx port 80, \S+lab\.yaml:\d+$/)
  })

  test('a Service that is not there, and one that is fed', () => {
    const unknown = podwalk('show', 'iptables', '--node', 'xianchaonode1', '--service', 'my-ngin')
    expect(unknown).toMatchObject({ code: 2, out: '' })
    expect(unknown.err).toMatch(/--service my-ngin: .*my-nginx/)
    const fed = podwalk('show', 'iptables', '--node', 'xianchaonode1', '--service', 'my-nginx', '--as', 'restore')
    expect(fed.err).toContain('--service is for what the tool lists')
  })
})

test('what kube-proxy feeds to iptables-restore', () => {
  const fed = podwalk('show', 'iptables', '--node', 'xianchaonode1', '--as', 'restore').out
  expect(fed).toMatch(/^\*filter\n:KUBE-\S+ - \[0:0\]\n/)
  expect(fed).toContain('-A KUBE-SVC-L65ENXXZWWSAPRCR -m comment --comment "default/my-nginx -> 10.244.1.4:80"')
  expect(fed).not.toContain('FLANNEL')
  const six = podwalk('show', 'ip6tables', '--node', 'xianchaonode1', '--as', 'restore').out
  expect(six).toContain('-A KUBE-POSTROUTING')
  expect(six).not.toContain('10.244')
})

test('the Corefile needs no machine', () => {
  expect(podwalk('show', 'corefile').out).toMatch(/^\.:53 \{\n {4}errors\n/)
})
