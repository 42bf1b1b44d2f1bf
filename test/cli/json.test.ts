import { Check, Errors } from 'typebox/schema'
import { describe, expect, test } from 'vitest'
import { changesSchema } from '../../render/changes-schema.ts'
import { renderConversationJson } from '../../render/conversation-json.ts'
import { traceSchema } from '../../render/trace-schema.ts'
import { LAB_NAMES, labWalks } from '../labs.ts'
import { podwalk } from './run-podwalk.ts'

/** `-o json` is what the published schema says. */

describe.each(LAB_NAMES)('%s', (name) => {
  test.each(['normal', 'headers', 'rules'] as const)('every answer is as the schema says: %s', (detail) => {
    for (const { probe, answer } of labWalks(name)) {
      const document: unknown = JSON.parse(renderConversationJson(answer, detail))
      expect(complaints(document), probe.name).toEqual([])
    }
  })
})

const complaints = (document: unknown): readonly unknown[] =>
  Check(traceSchema, document) ? [] : [...Errors(traceSchema, document)].flat()

test('the schema sees what is wrong', () => {
  const right = JSON.parse(podwalk('trace', '--from', 'pod/client', '--to', 'svc/far:80', '-o', 'json').out)
  expect(complaints(right)).toEqual([])
  for (const wrong of [
    { ...right, kind: 'Walk' },
    { ...right, apiVersion: 'podwalk/v2' },
    { ...right, disposition: { ...right.disposition, kind: 'eaten' } },
    { ...right, request: { ...right.request, hops: [] } },
    { ...right, request: { ...right.request, sent: { ...right.request.sent, src: { family: 4 } } } },
    { ...right, packets: undefined },
    { ...right, probability: 2 },
  ])
    expect(complaints(JSON.parse(JSON.stringify(wrong)))).not.toEqual([])
})

test('questions across a change are as their schema says, which sees what is wrong', () => {
  const ask = ['--lab', 'textbook-flannel-vxlan', '-f', 'docs/stale-flows.yaml', '--from', 'pod/client']
  const ran = podwalk('trace', ...ask, '--to', 'svc/dns', '--then', 'scale deploy/dns --replicas=0', '-o', 'json')
  const right = JSON.parse(ran.out)
  expect(Check(changesSchema, right) ? [] : [...Errors(changesSchema, right)]).toEqual([])
  const [first, then] = right.phases
  expect(then.change.machines.flatMap(({ kept }: { kept: readonly object[] }) => kept)).not.toEqual([])
  for (const wrong of [
    { ...right, kind: 'Change' },
    { ...right, phases: [] },
    { ...right, phases: [{ ...first, walks: [{ kind: 'Trace' }] }] },
    { ...right, phases: [first, { ...then, change: { ...then.change, machines: [{}] } }] },
  ])
    expect(Check(changesSchema, wrong)).toBe(false)
})

test('the schema is printed, and it is JSON Schema', () => {
  const ran = podwalk('schema')
  expect(ran).toMatchObject({ code: 0, err: '' })
  expect(JSON.parse(ran.out)).toEqual(JSON.parse(JSON.stringify(traceSchema)))
})

test('addresses, MACs and octets are text, rules are as iptables prints them', () => {
  const { out } = podwalk('trace', '--from', 'pod/client', '--to', 'svc/my-nginx:80', '-o', 'json', '-v')
  const { request, steps } = JSON.parse(out)
  expect(request.sent).toMatchObject({ src: '10.244.1.2', dst: '10.99.198.177' })
  const of = (kind: string) => steps.find((step: { kind: string }) => step.kind === kind)
  expect(of('rule.match').rule).toMatch(/^-m comment --comment "kubernetes service portals" -j KUBE-SERVICES$/)
  expect(of('link.tx').frame).toMatchObject({ src: expect.stringMatching(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/) })
  expect(of('neigh.lookup').ip).toBe('10.244.1.1')
  expect(of('route.lookup').route.destination).toBe('0.0.0.0/0')
  expect(out).not.toMatch(/"family": (4|6),\s+"a":/)
})

test('all steps are there with -v, the rules tried with -vv', () => {
  const ask = ['trace', '--from', 'pod/client', '--to', 'svc/my-nginx:80', '-o', 'json']
  const [plain, verbose, full] = [[], ['-v'], ['-vv']].map((more) => JSON.parse(podwalk(...ask, ...more).out))
  expect(plain.steps).toBeUndefined()
  expect(verbose.steps.length).toBeGreaterThan(300)
  const rules = (document: { steps: readonly object[] }) => document.steps.filter((step) => 'rules' in step).length
  expect(rules(verbose)).toBe(0)
  expect(rules(full)).toBeGreaterThan(50)
})

test('several ways are an array', () => {
  const ask = ['trace', '--from', 'pod/client', '--to', 'svc/my-nginx:80', '--explore', 'all', '-o', 'json']
  const all: readonly { probability: number }[] = JSON.parse(podwalk(...ask).out)
  expect(all.flatMap((document) => complaints(document))).toEqual([])
  expect(all.map((document) => document.probability)).toEqual([0.5, 0.5])
})
