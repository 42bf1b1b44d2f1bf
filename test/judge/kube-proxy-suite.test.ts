import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ip } from '../../packet/ip.ts'
import { caseFiles, casesFolder, hasCases } from './cases-folder.ts'
import { summariseFlow } from './flow-summary.ts'
import { type KubeProxyReplay, replaySyncs } from './kube-proxy.ts'
import { type NftReplay, replayNftSyncs } from './kube-proxy-nftables.ts'
import { recordedForm, type SuiteCase, type SuiteFlow } from './kube-proxy-suite-case.ts'
import { walkFlow } from './nft-flow.ts'
import { orderedRestore } from './ordered-restore.ts'

const FOLDER = casesFolder('kube-proxy')

const allSuiteCases = (): readonly SuiteCase[] =>
  caseFiles(FOLDER, /^\d\d-.*\.json$/).map((file) => JSON.parse(readFileSync(join(FOLDER, file), 'utf8')) as SuiteCase)

const suiteCases = (): readonly SuiteCase[] => allSuiteCases().filter((recorded) => recorded.mode === 'iptables')

/** kube-proxy's tests write the mark short. */
const shortMark = (text: string): string => text.replaceAll('0x00004000', '0x4000')

describe.runIf(hasCases('kube-proxy'))("kube-proxy's own tests of iptables mode", () => {
  const flows: string[] = []

  it.each(suiteCases().map((recorded) => [recorded.id, recorded] as const))('%s', (_, recorded) => {
    const form = recordedForm(recorded)
    const syncs = replaySyncs({ ...form, steps: recorded.steps.map(({ apply }) => ({ apply, expected: {} })) })
    const local = recorded.proxier.traceLocalIPs.map(ip)
    let rulesBefore = 0
    for (const [i, step] of recorded.steps.entries()) {
      // The suite's first step is our first sync: there is none of an empty cluster before it.
      const { texts, rulesets } = syncs[i] as KubeProxyReplay
      const rules = step.expect.rules
      if (rules !== undefined) expect(shortMark(orderedRestore(texts['iptables-restore']!))).toBe(rules.trim())
      const natRules = texts['iptables-save']!.split('*nat')[1]!.split('\n-A KUBE-').length - 1
      if (step.expect.natRuleDelta !== undefined) expect(natRules - rulesBefore).toBe(step.expect.natRuleDelta)
      rulesBefore = natRules
      for (const { table, chain, rules } of step.expect.chains ?? []) {
        const own = rulesets
          .get(4)
          ?.tables.get(table as 'filter')
          ?.chains.get(chain)
        expect(own?.lines.map((line) => `-A ${chain} ${line.args}`).join('\n')).toBe(rules.trim())
      }
      for (const flow of step.expect.flows ?? []) {
        const { outputs, masquerade } = summariseFlow(
          rulesets.get(4)!,
          { source: ip(flow.sourceIP), destination: ip(flow.destIP), protocol: flow.protocol, port: flow.destPort },
          local,
        )
        expect({ flow: flow.name, output: outputs.join(', '), masq: masquerade }).toEqual({
          flow: flow.name,
          output: flow.output,
          masq: flow.masq,
        })
        flows.push(flow.name)
      }
    }
  })

  it('walks 67 flows', () => expect(flows).toHaveLength(67))
})

/** In nftables mode: there are no nodePorts on localhost, and ports that a ClusterIP does not have are rejected. */
function inNftables({ sourceIP, name, output, masq }: SuiteFlow): { readonly output: string; readonly masq: boolean } {
  if (sourceIP === '127.0.0.1') return { output: '', masq: false }
  if (NOT_ITS_PORT.has(name)) return { output: 'REJECT', masq: false }
  return { output, masq }
}

const NOT_ITS_PORT: ReadonlySet<string> = new Set([
  'TCP-only port does not match UDP',
  "svc1 does not accept svc2's ports",
])

describe.runIf(hasCases('kube-proxy')).each(['v1.36.3', 'v1.35.4', 'v1.33.0', 'v1.32.0'])(
  'the same flows walked through the rules of nftables mode %s',
  (kubeProxyVersion) => {
    const withFlows = allSuiteCases().filter(({ steps }) => steps.some(({ expect: { flows } }) => flows !== undefined))
    const flows: string[] = []

    it.each(withFlows.map((recorded) => [recorded.id, recorded] as const))('%s', (_, recorded) => {
      const form = recordedForm({ ...recorded, mode: 'nftables' })
      const recordedSteps = recorded.steps.map(({ apply }) => ({ apply, expected: {} }))
      const syncs = replayNftSyncs({ ...form, kubeProxyVersion, steps: recordedSteps })
      const addresses = recorded.proxier.interfaces.flatMap(({ name, addresses: own }) =>
        name === 'lo' ? [] : own.filter((text) => !text.includes(':')),
      )
      for (const [i, step] of recorded.steps.entries())
        for (const flow of step.expect.flows ?? []) {
          const { outputs, masquerade } = walkFlow(
            // The first sync is that of a cluster without Services.
            (syncs[i + 1] as NftReplay).ops,
            { source: ip(flow.sourceIP), destination: ip(flow.destIP), protocol: flow.protocol, port: flow.destPort },
            addresses,
          )
          expect({ flow: flow.name, output: outputs.join(', '), masq: masquerade }).toEqual({
            flow: flow.name,
            ...inNftables(flow),
          })
          flows.push(flow.name)
        }
    })

    it('walks 67 flows', () => expect(flows).toHaveLength(67))
  },
)

describe.runIf(hasCases('kube-proxy'))("kube-proxy's own test of nftables mode", () => {
  it('writes the same rules', () => {
    const [recorded] = allSuiteCases().filter(({ mode }) => mode === 'nftables')
    const form = recordedForm(recorded as SuiteCase)
    const apply = recorded!.steps[0]!.apply
    const serviceCIDR = { kind: 'ServiceCIDR', metadata: { name: 'kubernetes' }, spec: { cidrs: ['172.30.0.0/16'] } }
    const objects = [
      ...form.objects,
      { apiVersion: 'networking.k8s.io/v1', ...serviceCIDR },
      ...apply.map((one) => one.object),
    ]
    const [sync] = replayNftSyncs({ ...form, kubeProxyVersion: 'v1.35.4', objects })
    const ours = shortMark(sync!.texts['nft-transaction']!).split('\n').filter(isOfIPv4)
    expect(ours.sort()).toEqual(recorded!.steps[0]!.expect.rules!.trim().split('\n').sort())
  })
})

/** The test looks at one family, and not at what is emptied or replaced. */
function isOfIPv4(line: string, i: number, all: readonly string[]): boolean {
  if (!/^add \w+ ip /.test(line)) return false
  return !all[i + 1]?.startsWith(`delete ${line.slice('add '.length)}`)
}
