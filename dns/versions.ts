/**
 * What changed between Kubernetes releases in the pod's name files and in the Corefile, in one table. A version is
 * `v1.36.3`; what cannot be read counts as the newest.
 */

/** Minor release of a Kubernetes version text; undefined where it is none. */
export function minorOf(version: string): number | undefined {
  const match = /^v?1\.(\d+)/.exec(version)
  return match ? Number(match[1]) : undefined
}

const since = (version: string, minor: number): boolean => (minorOf(version) ?? Number.POSITIVE_INFINITY) >= minor

/**
 * Search list limits of kubelet (pkg/apis/core/validation, MaxDNSSearchPaths and its Legacy twin): 32 domains and 2048
 * characters with ExpandedDNSConfig, on by default from 1.26; 6 and 256 before.
 */
export const searchLimits = (kubelet: string): { readonly domains: number; readonly characters: number } =>
  since(kubelet, 26) ? { domains: 32, characters: 2048 } : { domains: 6, characters: 256 }

/** How kubelet reads `search .` of the node: 1.25.0 made it an empty item, later releases drop it. */
export const keepsEmptySearch = (kubelet: string): boolean => /^v?1\.25\.0$/.test(kubelet)

/** The kubeadm Corefile keeps cluster names out of the cache from 1.32 (kubernetes/kubernetes#128359, of October 2024). */
export const corefileCachesCluster = (kubernetes: string): boolean => !since(kubernetes, 32)

/** kubelet puts a leading `_` before a variable that would start with a digit, and maps dots, from 1.34. */
export const relaxedServiceNames = (kubelet: string): boolean => since(kubelet, 34)
