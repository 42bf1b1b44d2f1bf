/**
 * Why a configuration entry is there: plain words, so that a step can say it without knowing what they mean.
 * Shown as `FLANNEL-FWD rule 1, by flanneld for podCIDR 10.244.1.0/24`.
 */
export interface Origin {
  /** The program that installed it: flanneld, kube-proxy, kubelet, calico-node, the operator of the machine. */
  readonly by: string
  /** The object it was installed for: `Service shop/api port http`. */
  readonly for?: string
  /** One line of why, where the entry does not speak for itself. */
  readonly reason?: string
  /** Where that object stands in the input: `api.yaml:12`. */
  readonly source?: string
}
