import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Value } from 'typebox/value'
import { describe, expect, test } from 'vitest'
import { checkSchema } from '../../render/check-schema.ts'
import { RECORDED } from '../cluster/recorded-cluster.ts'
import { ownCasesFolder } from '../judge/cases-folder.ts'
import { podwalk } from './run-podwalk.ts'

const folder = mkdtempSync(join(tmpdir(), 'podwalk-check-'))
function file(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

interface Report {
  readonly verdict: string
  readonly kinds: readonly { readonly kind: string; readonly read: number; readonly computed: number }[]
  readonly computed: readonly { readonly code: string; readonly count: number; readonly collect?: string }[]
  readonly missing: readonly { readonly kind: string; readonly collect: string }[]
  readonly skipped: readonly {
    readonly reason: string
    readonly at: { readonly file: string; readonly line: number }
  }[]
  readonly findings: readonly {
    readonly severity: string
    readonly code: string
    readonly object?: string
    readonly at?: { readonly file: string; readonly line: number }
    readonly suggestion?: string
  }[]
}

const reportOf = (...args: readonly string[]): Report => JSON.parse(podwalk('check', ...args, '-o', 'json').out)
const recorded = (name: string): string => join(ownCasesFolder('snapshots'), name, 'all.json.gz')

/** The traps of the recorded shop, as its README lists them. */
const TRAPS = [
  ['selector of nothing', 'service-selects-nothing', 'Service orders/checkout'],
  ['targetPort nobody has', 'target-port-unknown', 'Service catalog/search'],
  ['unready', 'pod-unready', 'Pod catalog/reviews-8d67cd995-68rcx'],
  ['unready, published', 'pod-unready', 'Pod payments/ledger-2'],
  ['crashing', 'pod-crashing', 'Pod catalog/suggest-754cc6cb46-vxpz8'],
  ['nothing ready behind it', 'service-without-ready-endpoints', 'Service catalog/suggest'],
  ['terminating and serving', 'pod-terminating', 'Pod orders/cart-75ff759568-5jhp5'],
  ['terminating and quiet', 'pod-terminating', 'Pod payments/fraud-965cdf466-sz86r'],
  ['evicted', 'pod-evicted', 'Pod payments/cards-7c7c45b767-crmg7'],
  ['no image', 'pod-image', 'Pod payments/fraud-965cdf466-rgkz8'],
  ['still starting', 'pod-starting', 'Pod shopfront/assets-5845ff6fcf-hmd64'],
  ['fits no node', 'pod-unschedulable', 'Pod platform/whale'],
  ["the Service's port in a policy", 'policy-service-port', 'NetworkPolicy orders/to-payments'],
  ['an Ingress to another namespace', 'ingress-backend-unknown', 'Ingress shopfront/shop'],
] as const

describe('the recorded shop', () => {
  const { findings } = reportOf('-f', recorded('shop'))

  test.each(TRAPS)('%s is found, with its place and what to do', (_, code, object) => {
    const found = findings.filter((finding) => finding.code === code && finding.object === object)
    expect(found.length).toBe(1)
    expect(found[0]!.at).toMatchObject({ file: recorded('shop'), line: expect.any(Number) })
    expect(found[0]!.suggestion).not.toBe('')
  })

  test('nothing else is called wrong', () =>
    expect(findings.filter(({ severity }) => severity !== 'note').length).toBe(TRAPS.length))
})

test.each([
  ['textbook', ['pod-unready']],
  ['textbook-calico', ['pod-unready']],
  ['dualstack', ['pod-unready', 'service-without-endpoints']],
  ['dead-node', ['node-not-ready', 'pod-evicted', 'pod-node-down']],
])('the recorded %s has no other problem than %s', (name, codes) => {
  const { findings } = reportOf('-f', recorded(name))
  const found = findings.filter(({ severity }) => severity !== 'note').map(({ code }) => code)
  expect([...new Set(found)].sort()).toEqual(codes)
})

describe('JSON', () => {
  test.each([...RECORDED.map((name) => ['-f', recorded(name)]), [], ['--lab', 'two-racks']])(
    '%s %s is as the schema says',
    (...args) => {
      const report: unknown = JSON.parse(podwalk('check', ...args, '-o', 'json').out)
      expect([...Value.Errors(checkSchema, report)].slice(0, 3)).toEqual([])
    },
  )

  test('the schema is printed', () => {
    const { out, code } = podwalk('schema', 'check')
    expect(code).toBe(0)
    expect(JSON.parse(out)).toMatchObject({ properties: { kind: { const: 'Check' } } })
    expect(JSON.parse(podwalk('schema').out)).toMatchObject({ title: 'podwalk trace' })
  })

  test('counts what is read and what is computed', () => {
    const { kinds, computed } = reportOf()
    expect(kinds).toContainEqual({ kind: 'Pod', read: 4, computed: 13 })
    expect(kinds).toContainEqual({ kind: 'Deployment', read: 3, computed: 0 })
    expect(computed.find(({ code }) => code === 'pod')).toMatchObject({
      count: 17,
      collect: 'kubectl get pods -A -o yaml',
    })
  })
})

describe('exit code', () => {
  const node =
    '{apiVersion: v1, kind: Node, metadata: {name: node1}, status: {addresses: [{type: InternalIP, address: 10.0.0.1}]}}'
  const sound = `${node}\n---\n{apiVersion: podwalk/v1alpha1, kind: Lab, spec: {cni: {name: flannel}}}\n`
  const service =
    '---\n{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {selector: {app: x}, ports: [{port: 80}]}}\n'
  const wrong = '---\n{apiVersion: v1, kind: Pod, metadata: {name: p}, status: {podIP: 10.244.1}}\n'
  test.each([
    ['nothing wrong', sound, [], 0],
    ['a problem', `${sound}${service}---\n{apiVersion: v1, kind: Pod, metadata: {name: p}}\n`, [], 1],
    ['Services, and nothing that makes pods', sound + service, [], 3],
    ['an error of the input', sound + wrong, [], 1],
    ['an error of the input, strictly', sound + wrong, ['--strict'], 2],
    [
      'a problem of the cluster is no error of the input',
      `${sound}${service}---\n{apiVersion: v1, kind: Pod, metadata: {name: p}}\n`,
      ['--strict'],
      1,
    ],
    ['no object', 'a: b\n', [], 2],
  ])('%s', (name, text, options, expected) => {
    const { code, out } = podwalk('check', '-f', file(`${name}.yaml`, text), ...options)
    expect(code).toBe(expected)
    if (expected === 2) expect(out).toBe('')
  })

  test('a file that is not there', () =>
    expect(podwalk('check', '-f', join(folder, 'none.yaml'))).toMatchObject({ code: 2, out: '' }))

  test('--strict stops a trace too', () => {
    const path = file('strict.yaml', sound + wrong)
    expect(podwalk('trace', '-f', path, '--strict', '--from', 'node/node1', '--to', '10.0.0.1').code).toBe(2)
  })
})

describe('text', () => {
  test('what was not read is told with its place, and Secrets without their data', () => {
    const path = file(
      'secret.yaml',
      '{apiVersion: v1, kind: Node, metadata: {name: node1}}\n---\n{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {password: hunter2}}\n---\n{apiVersion: example.com/v1, kind: Gadget, metadata: {name: g}}\n',
    )
    const { out, err } = podwalk('check', '-f', path)
    expect(out).toContain(`kind Gadget is not read`)
    expect(out).toContain(`${path}:5`)
    expect(out).toContain(`${path}:3`)
    expect(out + err).not.toContain('hunter2')
  })

  test('what is missing is told with the command that fetches it', () => {
    const { out } = podwalk('check', '-f', file('bare.yaml', '{apiVersion: v1, kind: Node, metadata: {name: node1}}'))
    expect(out).toMatch(/NetworkPolicy +none in the input +kubectl get networkpolicies -A -o yaml/)
    expect(out).toMatch(/all at once: kubectl get .*pods/)
  })

  test('of many alike ten are told, and all of them with -o wide', () => {
    const services = Array.from(
      { length: 12 },
      (_, i) =>
        `---\n{apiVersion: v1, kind: Service, metadata: {name: s${i}}, spec: {selector: {app: x}, ports: [{port: 80}]}}\n`,
    )
    const path = file('many.yaml', `{apiVersion: v1, kind: Pod, metadata: {name: p}}\n${services.join('')}`)
    const told = (...args: readonly string[]) =>
      podwalk('check', '-f', path, ...args).out.split('[service-selects-nothing]').length - 1
    // The line that counts the others names the code too.
    expect(told()).toBe(11)
    expect(podwalk('check', '-f', path).out).toContain('and 2 more [service-selects-nothing]')
    expect(told('-o', 'wide')).toBe(12)
  })

  test('fits 80 columns but for places and commands', () => {
    const lines = podwalk('check').out.split('\n')
    const long = lines.filter((line) => line.length > 80 && !/kubectl |\[[a-z-]+\]$|:\d+$/.test(line))
    expect(long).toEqual([])
  })

  test('--ascii has no other characters', () =>
    expect(/^[\x20-\x7e\n]*$/.test(podwalk('check', '--ascii').out)).toBe(true))

  test('colours only where asked for', () => {
    expect(podwalk('check').out).not.toContain('\u001b[')
    expect(podwalk('check', '--color').out).toContain('\u001b[')
  })
})
