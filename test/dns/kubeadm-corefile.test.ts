import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { kubeadmCorefile } from '../../dns/coredns/kubeadm-corefile.ts'
import { ownCasesFolder } from '../judge/cases-folder.ts'
import type { CorednsSession } from '../judge/coredns.ts'

const recorded = (file: string) =>
  (JSON.parse(readFileSync(join(ownCasesFolder('coredns'), file), 'utf8')) as CorednsSession).corefile

it.each([
  ['v1.31.9', '000-kubeadm-old.json'],
  ['v1.32.0', '001-kubeadm-new.json'],
  ['v1.36.3', '001-kubeadm-new.json'],
  ['unknown', '001-kubeadm-new.json'],
])("kubeadm %s's Corefile is the one of %s", (version, file) => {
  expect(kubeadmCorefile(version, 'cluster.local')).toBe(recorded(file))
})
