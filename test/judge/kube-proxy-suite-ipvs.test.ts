import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { applyOps } from '../../linux/apply.ts'
import type { HostConfig } from '../../linux/host-config.ts'
import { type Op, type OpBody, ROOT_NETNS } from '../../linux/op.ts'
import { ip } from '../../packet/ip.ts'
import { prefix } from '../../packet/prefix.ts'
import { ipvsMode } from '../../proxy/ipvs/compile.ts'
import { explore, FAR, wire } from '../property/services/machine.ts'
import type { Outcome } from '../property/services/outcome.ts'
import { caseFiles, casesFolder, hasCases } from './cases-folder.ts'
import { applyStep, type CaseObject, caseConfig, caseFacts, caseNode } from './kube-proxy-case.ts'
import { recordedForm, type SuiteCase, type SuiteFlow } from './kube-proxy-suite-case.ts'
import { storedCluster } from './stored-cluster.ts'

const FOLDER = casesFolder('kube-proxy')

const suiteCases = (): readonly SuiteCase[] =>
  caseFiles(FOLDER, /^\d\d-.*\.json$/)
    .map((file) => JSON.parse(readFileSync(join(FOLDER, file), 'utf8')) as SuiteCase)
    .filter(({ mode, steps }) => mode === 'iptables' && steps.some(({ expect }) => (expect.flows?.length ?? 0) > 0))

interface Expected {
  readonly output: string
  readonly masq: boolean
}

/** What ipvs mode does otherwise than iptables mode, by case and flow, and why (`services/differences.ts`). */
const DIFFERENT: Readonly<Record<string, Expected & { readonly why: string }>> = {
  ...ofCase('masquerade-no-detector', {
    'node to ClusterIP': {
      output: '10.180.0.1:80, 10.180.1.1:80',
      masq: true,
      why: 'the node calls from the ClusterIP, which is its own',
    },
    'node to ClusterIP with eTP:Local': {
      output: '10.180.0.2:80, 10.180.1.2:80',
      masq: true,
      why: 'the node calls from the ClusterIP, which is its own',
    },
    'node to ClusterIP with iTP:Local': {
      output: '10.180.0.3:80',
      masq: true,
      why: 'the node calls from the ClusterIP, which is its own',
    },
    'localhost to NodePort': { output: 'REJECT', masq: false, why: 'no virtual server on loopback' },
    'localhost to NodePort with eTP:Local': { output: 'REJECT', masq: false, why: 'no virtual server on loopback' },
    'localhost to NodePort with iTP:Local': { output: 'REJECT', masq: false, why: 'no virtual server on loopback' },
    'node to LB with eTP:Local': { output: '10.180.0.2:80', masq: false, why: 'policy Local holds for the node too' },
  }),
  ...ofCase('clusterip-general', {
    'TCP-only port does not match UDP': { output: 'REJECT', masq: false, why: 'KUBE-IPVS-FILTER' },
    "svc1 does not accept svc2's ports": { output: 'REJECT', masq: false, why: 'KUBE-IPVS-FILTER' },
  }),
  ...ofCase('nodeports-no-localhost', {
    'localhost to nodePort is ignored': { output: 'REJECT', masq: false, why: 'nobody listens there' },
    'secondary node IP ignores nodePorts': { output: 'REJECT', masq: false, why: 'nobody listens there' },
  }),
}

function ofCase<T>(id: string, flows: Readonly<Record<string, T>>): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(flows).map(([name, one]) => [`${id}: ${name}`, one]))
}

/** The machine of the case: eth0 to the outside, and a wire behind which all pods are. */
function machineOf(recorded: SuiteCase, objects: readonly CaseObject[]): HostConfig {
  const form = recordedForm(recorded)
  const facts = caseFacts(form.config)
  const cluster = storedCluster(objects, { kubernetesVersion: form.kubeProxyVersion })
  const node = caseNode(cluster.nodes, form.config.nodeName)
  const eth0 = form.config.interfaces.find(({ name }) => name === 'eth0')?.addresses ?? []
  const base: readonly OpBody[] = [
    { kind: 'sysctl.set', key: 'net.ipv4.ip_forward', value: '1' },
    { kind: 'sysctl.set', key: 'net.ipv4.icmp_ratelimit', value: '0' },
    { kind: 'link.set', name: 'lo', up: true },
    ...wire('eth0', '01', eth0),
    ...wire('pods', '02', ['10.255.255.1/30']),
    {
      kind: 'route.replace',
      route: { type: 'unicast', destination: prefix('0.0.0.0/0'), via: ip('192.168.0.1'), protocol: 'boot' },
    },
    {
      kind: 'route.replace',
      route: { type: 'unicast', destination: prefix('10.0.0.0/8'), via: ip('10.255.255.2'), protocol: 'boot' },
    },
    { kind: 'neigh.replace', link: 'eth0', ip: ip('192.168.0.1'), mac: FAR },
    { kind: 'neigh.replace', link: 'pods', ip: ip('10.255.255.2'), mac: FAR },
  ]
  const ops = [
    ...base.map((op) => ({ ...op, netns: ROOT_NETNS, origin: { by: 'test' } }) as Op),
    ...ipvsMode.compile(cluster, node, caseConfig(form), facts),
  ]
  const config = applyOps('node', ops, facts.capabilities)
  expect(config.refused).toEqual([])
  return config
}

function walkFlow(config: HostConfig, { sourceIP, destIP, destPort, protocol }: SuiteFlow): Outcome {
  const source = ip(sourceIP)
  const isOwn = /^(192\.168\.0\.2|127\.0\.0\.1)$/.test(sourceIP) || sourceIP === destIP
  const link = sourceIP.startsWith('10.') ? 'pods' : 'eth0'
  return explore(config, {
    protocol: protocol.toUpperCase() as 'TCP',
    from: isOwn ? undefined : { ip: source, link },
    to: { ip: ip(destIP), port: destPort },
  })
}

function summary(outcome: Outcome): Expected {
  if (outcome.kind !== 'delivered') {
    const words = { refused: 'REJECT', dropped: 'DROP', passed: '' } as const
    return { output: words[outcome.kind], masq: false }
  }
  for (const { probability } of outcome.to) expect(probability).toBeCloseTo(1 / outcome.to.length)
  const outputs = outcome.to.map(({ endpoint }) => endpoint).sort()
  return { output: outputs.join(', '), masq: outcome.to.some(({ masquerade }) => masquerade) }
}

describe.runIf(hasCases('kube-proxy'))("the flows of kube-proxy's own tests, walked in ipvs mode", () => {
  const walked: string[] = []
  const different = new Set<string>()

  it.each(suiteCases().map((recorded) => [recorded.id, recorded] as const))('%s', (_, recorded) => {
    let objects = recordedForm(recorded).objects
    for (const step of recorded.steps) {
      objects = applyStep(objects, { ...step, expected: {} })
      const config = machineOf(recorded, objects)
      for (const flow of step.expect.flows ?? []) {
        const name = `${recorded.id.replace(/^\d+-/, '')}: ${flow.name}`
        const other = DIFFERENT[name]
        if (other !== undefined) different.add(name)
        const { output, masq } = other ?? flow
        expect({ flow: name, ...summary(walkFlow(config, flow)) }).toEqual({
          flow: name,
          output: output.split(', ').sort().join(', '),
          masq,
        })
        walked.push(name)
      }
    }
  })

  it('are 67, and every difference is used', () => {
    expect(walked).toHaveLength(67)
    expect([...different].sort()).toEqual(Object.keys(DIFFERENT).sort())
  })
})
