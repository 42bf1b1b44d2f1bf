import { calico } from './calico/calico.ts'
import { flannel } from './flannel/flannel.ts'
import type { CniPlugin } from './plugin.ts'

/** The pod networks that are computed, by the name the detection gives them. */
export const cniPlugins = { flannel, calico } as const satisfies Record<string, CniPlugin>
