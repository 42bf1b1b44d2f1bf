import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { changeByWords } from '../../cluster/change/change-cluster.ts'
import { load } from '../../cluster/load.ts'
import { traceAcross } from '../../engine/ask-across.ts'
import { type Built, build } from '../../engine/build.ts'
import type { Conversation } from '../../engine/conversation.ts'
import { readQuestion } from '../../engine/question.ts'
import type { MachineChange } from '../../engine/world-change.ts'
import { formatIp } from '../../packet/ip.ts'
import { must } from '../../packet/parsed.ts'
import { opCommands } from '../../render/commands.ts'
import { renderIptablesSave } from '../../render/iptables-save.ts'
import { nftLines } from '../../render/nft-command.ts'
import { LIVE_RETRIES } from '../live-retries.ts'

/**
 * The running kernel with kube-proxy's rules of before, one flow through them, then what our kube-proxy writes and
 * deletes: the client's next packet must be answered by whom we say, and the rules must be those we list.
 */

const NODE = 'node1'

const CLUSTER = `
apiVersion: podwalk/v1alpha1
kind: Lab
metadata: { name: one-node }
spec: { podCIDRs: [10.244.1.0/24], cni: { name: calico }, nodes: { node1: { gateway: 192.168.40.1, calicoBlocks: [10.244.1.0/26] } } }
---
apiVersion: crd.projectcalico.org/v1
kind: IPPool
metadata: { name: pool }
spec: { cidr: 10.244.0.0/16, ipipMode: Never, vxlanMode: Never, natOutgoing: false }
---
apiVersion: v1
kind: Node
metadata: { name: node1, annotations: { projectcalico.org/IPv4Address: 192.168.40.11/24 } }
spec: { podCIDR: 10.244.1.0/24 }
status: { addresses: [{ type: InternalIP, address: 192.168.40.11 }], conditions: [{ type: Ready, status: "True" }] }
${[
  ['client', '10.244.1.2', 'none'],
  ['a', '10.244.1.3', 'echo'],
  ['b', '10.244.1.4', 'none'],
]
  .map(
    ([name, ip, app]) => `---
apiVersion: v1
kind: Pod
metadata: { name: ${name}, labels: { app: ${app} } }
spec:
  nodeName: node1
  containers: [{ name: main, image: x, ports: [{ containerPort: 7000 }, { containerPort: 7000, protocol: UDP }] }]
status: { phase: Running, podIP: ${ip}, podIPs: [{ ip: ${ip} }], hostIP: 192.168.40.11, conditions: [{ type: Ready, status: "True" }] }
`,
  )
  .join('')}---
apiVersion: v1
kind: Service
metadata: { name: echo }
spec:
  clusterIP: 10.96.0.77
  selector: { app: echo }
  ports: [{ name: udp, port: 7, targetPort: 7000, protocol: UDP }, { name: tcp, port: 7, targetPort: 7000 }]
`

interface Command {
  readonly run: string
  readonly text?: string
}

const usable =
  spawnSync(
    'unshare',
    ['--net', '--mount', 'sh', '-c', 'iptables-restore --test && nft list ruleset && conntrack -L'],
    {
      input: '*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -m conntrack --ctstate NEW -j ACCEPT\nCOMMIT\n',
    },
  ).status === 0 && spawnSync('python3', ['--version']).status === 0
if (!usable && process.env.CI)
  throw new Error(
    'namespaces, iptables, nft, conntrack and python3 do not work, and CI must not skip the kernel’s verdict',
  )
if (!usable) console.log('skipped: needs root, namespaces, iptables, nft, conntrack and python3')

/** All that kube-proxy does on the node at its start, in one family. */
function firstSync(built: Built): readonly Command[] {
  const ops = (built.opsOf(NODE) ?? []).filter(({ origin }) => origin.by === 'kube-proxy')
  const jumps = ops
    .filter((op) => (op.kind === 'chain.new' || op.kind === 'rule.insert') && op.family === 4)
    .flatMap((op) => opCommands(op, (name) => name))
    // Made once; the commands of several jumps name a chain.
    .map((line) => line.replace(/^ip netns exec \S+ /, '').replace(/^(.* -N .*)$/, '$1 2>/dev/null || true'))
  const nft = ops.flatMap((op) =>
    op.kind.startsWith('nft.') && 'table' in op && op.family === 'ip' ? nftLines(op as never) : [],
  )
  const restore = built.proxyInput(NODE, 4)
  return [
    { run: ['true', ...jumps].join('\n') },
    ...(restore === undefined ? [] : [{ run: 'iptables-restore --noflush --counters', text: restore }]),
    ...(nft.length === 0 ? [] : [{ run: 'nft -f -', text: `${nft.join('\n')}\n` }]),
  ]
}

const laterSync = ({ fed, deleted }: MachineChange): readonly Command[] => [
  ...fed.flatMap((input): Command[] => {
    if (input.tool === 'nft') {
      const lines = input.ops.filter(({ family }) => family === 'ip').flatMap(nftLines)
      return lines.length === 0 ? [] : [{ run: 'nft -f -', text: `${lines.join('\n')}\n` }]
    }
    return input.tool === 'iptables-restore' && input.text !== ''
      ? [{ run: 'iptables-restore --noflush --counters', text: input.text }]
      : []
  }),
  ...deleted.map(({ command }) => ({ run: command ?? '' })),
]

/** Who answered: a pod, an error, or nobody. */
function answerOf({ server, outcome }: Conversation): string | null {
  if (outcome.kind === 'failed') return outcome.errno
  return outcome.kind === 'noAnswer' ? null : (server?.netns.replace('default/', '') ?? null)
}

const AWAY = 'label pod/a app=none'
const MOVED = `${AWAY}; label pod/b app=echo`

describe.skipIf(!usable)('the same socket asks again', () => {
  test.each<[string, string, 'udp' | 'tcp', string, readonly (string | null)[]]>([
    ['v1.36.3', 'iptables', 'udp', MOVED, ['a', 'b']],
    ['v1.31.14', 'iptables', 'udp', MOVED, ['a', 'b']],
    ['v1.20.15', 'iptables', 'udp', MOVED, ['a', 'b']],
    ['v1.36.3', 'nftables', 'udp', MOVED, ['a', 'b']],
    ['v1.33.13', 'nftables', 'udp', MOVED, ['a', 'b']],
    ['v1.31.14', 'nftables', 'udp', MOVED, ['a', 'b']],
    ['v1.36.3', 'iptables', 'udp', AWAY, ['a', 'a']],
    ['v1.31.14', 'iptables', 'udp', AWAY, ['a', 'ECONNREFUSED']],
    ['v1.36.3', 'nftables', 'udp', AWAY, ['a', 'a']],
    ['v1.31.14', 'nftables', 'udp', AWAY, ['a', 'ECONNREFUSED']],
    ['v1.36.3', 'iptables', 'udp', 'delete pod/a', ['a', null]],
    ['v1.31.14', 'iptables', 'udp', 'delete pod/a', ['a', 'ECONNREFUSED']],
    ['v1.36.3', 'iptables', 'udp', 'delete pod/a; label pod/b app=echo', ['a', 'b']],
    ['v1.36.3', 'iptables', 'udp', 'delete pod/a --wait=false; label pod/b app=echo', ['a', 'a']],
    ['v1.28.15', 'iptables', 'udp', 'delete pod/a --wait=false; label pod/b app=echo', ['a', 'b']],
    ['v1.31.14', 'iptables', 'udp', 'delete svc/echo', ['a', null]],
    ['v1.36.3', 'iptables', 'udp', 'delete svc/echo', ['a', 'a']],
    ['v1.36.3', 'iptables', 'tcp', MOVED, ['a', 'a']],
    ['v1.36.3', 'nftables', 'tcp', MOVED, ['a', 'a']],
    ['v1.36.3', 'nftables', 'tcp', 'delete svc/echo', ['a', 'a']],
  ])('%s %s %s, %s', { retry: LIVE_RETRIES }, (version, mode, protocol, words, expected) => {
    const bytes = new TextEncoder().encode(CLUSTER)
    const before = load([{ name: 'cluster.yaml', bytes }], { lab: { versions: { kubernetes: version } } }).cluster
    const after = must(changeByWords(before, words)).cluster
    const states = [before, after].map((cluster) => build(cluster, { proxyMode: mode }))
    const [first, then] = states as [Built, Built]
    const probe = must(readQuestion(first, { from: 'pod/client', to: `svc/echo:7/${protocol}` }))
    const phases = traceAcross(states, probe)
    const ours = phases.flatMap(({ walks }) => walks.map(answerOf))
    const change = phases[1]?.change?.machines.find(({ name }) => name === NODE)
    const gone = before.pods.filter(({ meta }) => !after.index.pod.has(`default/${meta.name}`))
    const job = {
      pods: before.pods.map(({ meta, ips }) => ({
        name: meta.name,
        ip: ips[0] === undefined ? '' : formatIp(ips[0]),
        serves: meta.name !== 'client',
      })),
      client: 'client',
      protocol,
      port: 7000,
      to: '10.96.0.77',
      toPort: 7,
      gone: gone.map(({ meta }) => meta.name),
      before: firstSync(first),
      after: change === undefined ? [] : laterSync(change),
    }
    const script = join(import.meta.dirname, 'changed_flow.py')
    const ran = spawnSync('unshare', ['--net', '--mount', 'python3', script], {
      input: JSON.stringify(job),
      encoding: 'utf8',
    })
    expect(ran.stderr).toBe('')
    const kernel = JSON.parse(ran.stdout) as { answers: readonly (string | null)[]; saved: string }
    expect(kernel.answers).toEqual(expected)
    expect(ours).toEqual(kernel.answers)
    if (mode === 'iptables') expect(rulesIn(kernel.saved)).toEqual(rulesIn(savedBy(then)))
  })
})

const savedBy = (built: Built): string => {
  const ruleset = built.blueprint.hosts.get(NODE)?.().netns.get('root')?.netfilter.iptables[4]
  return ruleset === undefined ? '' : renderIptablesSave(ruleset)
}

/** kube-proxy's own chains and rules; what a pod network and kubelet add is not made here. */
const rulesIn = (saved: string): readonly string[] =>
  saved
    .split('\n')
    .filter((line) => /^-A KUBE-(?!FIREWALL|MARK-DROP)|^:KUBE-S/.test(line))
    .map((line) => line.replace(/\[\d+:\d+\]/, '[0:0]'))
