import type { LabMachine, Place } from '../../render/materialise/lab-machine.ts'
import { type Materialised, materialise as materialiseHosts } from '../../render/materialise/materialise.ts'
import type { KernelLab } from './lab.ts'

export type { BuildStep, Materialised } from '../../render/materialise/materialise.ts'

/** A lab as the product writes it for people (`podwalk lab materialise`), under its own names. */
export const materialise = ({ hosts }: KernelLab): Materialised => materialiseHosts(hosts)

/** Namespaces with rules: those worth tracing. */
export function tracedPlaces(hosts: readonly LabMachine[], places: ReadonlyMap<string, Place>): readonly string[] {
  const ruled = new Set(
    hosts.flatMap(({ name, ops }) =>
      ops.filter((op) => 'family' in op && op.kind !== 'rule.add').map((op) => `${name} ${op.netns}`),
    ),
  )
  return [...places].filter(([, { host, netns }]) => ruled.has(`${host} ${netns}`)).map(([name]) => name)
}
