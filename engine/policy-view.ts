/** A NetworkPolicy that has a say about a flow, and what becomes of it. */
export interface PolicyView {
  /** `NetworkPolicy default/db-allow`. */
  readonly policy: string
  readonly source?: string
  readonly direction: 'ingress' | 'egress'
  /** The pod it selects: `default/db`. */
  readonly pod: string
  readonly allows: boolean
  /** What the policies of that direction say, in a sentence. */
  readonly says: string
  /** Whether something on the node acts on it: yes, nothing does, or something does that is not computed. */
  readonly enforced: 'yes' | 'no' | 'notModelled'
  /** Who would: `flannel enforces nothing`, `calico's felix`. */
  readonly enforcer: string
}
