import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ip } from '../../packet/ip.ts'
import { caseFiles, casesFolder, hasCases } from './cases-folder.ts'
import { summariseFlow } from './flow-summary.ts'
import { type KubeProxyReplay, replaySyncs } from './kube-proxy.ts'
import { recordedForm, type SuiteCase } from './kube-proxy-suite-case.ts'
import { orderedRestore } from './ordered-restore.ts'

const FOLDER = casesFolder('kube-proxy')

const suiteCases = (): readonly SuiteCase[] =>
  caseFiles(FOLDER, /^\d\d-.*\.json$/)
    .map((file) => JSON.parse(readFileSync(join(FOLDER, file), 'utf8')) as SuiteCase)
    .filter((recorded) => recorded.mode === 'iptables')

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
