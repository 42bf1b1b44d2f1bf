import type { EdnsOption } from '../../../message.ts'
import type { Request } from '../../plugin.ts'
import type { CnameRule } from './cname-rule.ts'

/** A rule of the rewrite plugin: what it makes of a query, and what is to be done with the reply. */
export interface Rule {
  /** Whether the rules after it are looked at. */
  readonly mode: 'stop' | 'continue'
  /** Undefined: it is not for this query. */
  apply(request: Request): Applied | undefined
}

export interface Applied {
  readonly request: Request
  readonly response: readonly ResponseRule[]
  /** What it did, for the trace. */
  readonly detail: string
}

/** What is done with a reply, from the last rule to the first (plugin/rewrite/reverter.go). */
export type ResponseRule =
  | { readonly kind: 'name' | 'value'; readonly rewrite: (text: string) => string }
  | { readonly kind: 'ttl'; readonly min: number; readonly max: number }
  | { readonly kind: 'rcode'; readonly from: number; readonly to: number }
  | { readonly kind: 'cname'; readonly rule: CnameRule; readonly request: Request }
  /** An EDNS option of the query goes back as it came: not at all, or with its old data. */
  | { readonly kind: 'removeOption'; readonly code: number }
  | { readonly kind: 'restoreOption'; readonly option: EdnsOption }
