import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { load } from '../../cluster/load.ts'
import { ask } from '../../engine/ask.ts'
import { type Built, build } from '../../engine/build.ts'
import { readQuestion } from '../../engine/question.ts'
import { must } from '../../packet/parsed.ts'
import { ROOT } from '../command-line.ts'
import { cpuMilliseconds } from './cpu-time.ts'
import { uniformObjects } from './iptables-text.ts'

export const PROXY_MODES = ['iptables', 'nftables', 'ipvs', 'userspace'] as const
export type ProxyModeName = (typeof PROXY_MODES)[number]

export interface FirstWalkBench {
  /** Processor time to compile and apply every machine. */
  readonly buildMilliseconds: number
  /** The first conversation, and the best of some later ones. */
  readonly firstMilliseconds: number
  readonly laterMilliseconds: number
}

/**
 * The first conversation on the textbook cluster with many Services beside its own, when its machines are compiled;
 * the code has run before on the cluster without them.
 */
export function benchFirstWalk(proxyMode: ProxyModeName, services = 10_000, endpoints = 10): FirstWalkBench {
  const plain = textbook(proxyMode, [])
  for (let seed = 0; seed < 200; seed++) walk(plain, seed)
  const built = textbook(proxyMode, uniformObjects(services, endpoints))
  const buildMilliseconds = cpuMilliseconds(() => {
    for (const host of built.blueprint.hosts.values()) host()
  })
  const firstMilliseconds = walk(built, 0)
  const later = Array.from({ length: 20 }, (_, i) => walk(built, i + 1))
  return {
    buildMilliseconds,
    firstMilliseconds,
    laterMilliseconds: Math.min(...later),
  }
}

function textbook(proxyMode: ProxyModeName, more: readonly object[]): Built {
  const name = join('topologies', 'textbook-flannel-vxlan', 'lab.yaml')
  const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: more }, undefined, 1)
  // Pods have addresses for the endpoints of all the Services: one that is outside is a machine of its own.
  const lab = readFileSync(join(ROOT, name), 'utf8').replaceAll('10.244.0.0/16', '10.128.0.0/9')
  const { cluster } = load([
    { name, bytes: new TextEncoder().encode(lab) },
    { name: 'services.json', bytes: new TextEncoder().encode(list) },
  ])
  return build(cluster, { proxyMode })
}

function walk(built: Built, seed: number): number {
  const probe = must(readQuestion(built, { from: 'pod/client', to: 'http://my-nginx' }))
  return cpuMilliseconds(() => ask(built, probe, { seed }))
}
