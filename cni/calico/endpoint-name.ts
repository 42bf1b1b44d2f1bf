import type { Pod } from '../../cluster/objects.ts'
import { sha1 } from '../sha1.ts'

/**
 * The host end of a pod's veth: `cali` and 11 hexadecimal digits of the SHA-1 of "namespace.name"
 * (libcalico-go/lib/backend/k8s/conversion/workload_endpoint_default.go, v3.32.1).
 */
export const endpointName = (pod: Pod, prefix: string): string =>
  `${prefix}${sha1(`${pod.meta.namespace}.${pod.meta.name}`).slice(0, 11)}`
