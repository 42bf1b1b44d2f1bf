import { describe, expect, test } from 'vitest'
import { SHOWN, type ShownNoun } from '../../render/show.ts'
import { LAB_NAMES, openLab } from '../labs.ts'
import { podwalk } from './run-podwalk.ts'

/** `show` speaks as the node's own tools do, for every noun, node and pod of every lab. */

const NOUNS = Object.keys(SHOWN) as readonly ShownNoun[]

/** The shape of each line of what a tool prints. */
const LINES: Readonly<Record<ShownNoun, RegExp>> = {
  addr: /^(\d+: \S+: <[A-Z_,0-9]*> mtu \d+ |\s+(link\/|inet6? |valid_lft ))/,
  commands: /^(ip |bridge |sysctl |iptables |ip6tables |ipset |printf |mkdir |cat |# |[A-Za-z/.\-\d:]|$|\s)/,
  env: /^[A-Z_][A-Z0-9_]*=/i,
  fdb: /^([0-9a-f]{2}:){5}[0-9a-f]{2} dev \S+/,
  hosts: /^(#|[0-9a-f.:]+\t\S|$)/,
  ip6tables: /^(\*\w+|:\S+ \S+ \[0:0\]|-A \S+|COMMIT)$|^-A /,
  ipset: /^(create|add) /,
  iptables: /^(\*\w+|:\S+ \S+ \[0:0\]|-A \S+|COMMIT)$|^-A /,
  link: /^(\d+: \S+: <|\s)/,
  neigh: /^\S+ dev \S+ /,
  resolv: /^(nameserver|search|options) /,
  route: /^((default|blackhole|unreachable|[0-9a-f.:/]+) ?|\s)/,
  rule: /^\d+:\tfrom /,
  sysctl: /^[\w.\-/]+ = /,
}

/** What only pods have. */
const OF_PODS: readonly ShownNoun[] = ['env']

describe.each(LAB_NAMES)('%s', (lab) => {
  const { cluster } = openLab(lab)
  const node = cluster.nodes.find(({ meta }) => meta.name === 'xianchaonode1')?.meta.name ?? ''

  test.each(NOUNS)('%s of a node', (noun) => {
    const ran = podwalk('show', noun, '--node', node, '--lab', lab)
    if (OF_PODS.includes(noun)) return expect(ran).toMatchObject({ code: 2, out: '' })
    expect(ran).toMatchObject({ code: 0, err: '' })
    expect(wrongLines(noun, ran.out)).toEqual([])
  })

  test.each(NOUNS)('%s of a pod', (noun) => {
    const ran = podwalk('show', noun, '--pod', 'client', '--lab', lab)
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

const wrongLines = (noun: ShownNoun, text: string): readonly string[] =>
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
