import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { load } from '../../cluster/load.ts'
import { ask } from '../../engine/ask.ts'
import { type Built, build } from '../../engine/build.ts'
import { readQuestion } from '../../engine/question.ts'
import { must } from '../../packet/parsed.ts'
import { openLab } from '../labs.ts'

/** A snapshot without policies may be one from which they were not collected. */

/** The lab without its NetworkPolicies. */
function openWithout(lab: string): Built {
  const file = join(import.meta.dirname, '..', '..', 'topologies', lab, 'lab.yaml')
  const documents = readFileSync(file, 'utf8').split('\n---\n')
  const kept = documents.filter((document) => !document.includes('kind: NetworkPolicy'))
  expect(kept.length).toBe(documents.length - 1)
  return build(load([{ name: file, bytes: new TextEncoder().encode(kept.join('\n---\n')) }]).cluster)
}

const codesOf = (built: Built, question: { readonly from: string; readonly to: string }): readonly string[] => {
  return ask(built, must(readQuestion(built, question))).assumptions.map(({ code }) => code)
}

test.each([
  ['where something enforces policies, their absence is told', 'textbook-calico-bgp', 'pod/client', 'pod/far:80', true],
  ['also for who comes from outside', 'textbook-calico-bgp', 'ext/laptop', '192.168.40.181:30082', true],
  ['between machines no policy has a say', 'textbook-calico-bgp', 'ext/laptop', '192.168.40.180:6443', false],
  ['where nothing enforces them it does not matter', 'textbook-flannel-vxlan', 'pod/client', 'pod/far:80', false],
])('%s', (_, lab, from, to, told) => {
  expect(codesOf(openWithout(lab), { from, to }).includes('no-policies')).toBe(told)
})

test('where there are policies, nothing of the kind is assumed', () => {
  expect(codesOf(openLab('textbook-calico-bgp'), { from: 'pod/client', to: 'pod/far:80' })).not.toContain('no-policies')
})
