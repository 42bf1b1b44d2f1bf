/** Where an object stands in the input. Lines are 1-based. */
export interface SourceLocation {
  /** As the user named it; a member of an archive is `snap.tar.gz!pods.json`. */
  readonly file: string
  readonly line: number
  readonly column?: number
}

/** What the loader remembers of an object's place, so that a field's line can be found later. */
export interface SourceSpan extends SourceLocation {
  /** Byte offset and length of the item in its file (after unpacking). */
  readonly offset: number
  readonly length: number
}

export const formatLocation = (at: SourceLocation): string =>
  at.column === undefined ? `${at.file}:${at.line}` : `${at.file}:${at.line}:${at.column}`

/** Something to tell the user about the input. Never thrown. */
export interface Diagnostic {
  readonly severity: 'error' | 'warning' | 'note'
  /** Stable, kebab-case: `pod-ip-invalid`. */
  readonly code: string
  readonly message: string
  readonly at?: SourceLocation
  /** Other places that matter. */
  readonly notes?: readonly { readonly message: string; readonly at?: SourceLocation }[]
  /** What to do. */
  readonly suggestion?: string
  /** The object it is about: `Service default/my-nginx`. */
  readonly object?: string
  /** The API server would not take the object; `message` is then in its own words. */
  readonly refused?: boolean
}

/** A fact the input does not hold and that was filled in. */
export interface Assumption {
  /** Stable, kebab-case: `underlay-one-segment`. */
  readonly code: string
  /** What was assumed, as a sentence without a full stop: `node1 has MTU 1500 on eth0`. */
  readonly text: string
  /** The object it is about: `Node node1`. */
  readonly object?: string
  /** How to say it: `spec.nodes.node1.mtu in a Lab document`. */
  readonly set?: string
  /** How to find out: a command to run on the cluster or the node. */
  readonly collect?: string
}
