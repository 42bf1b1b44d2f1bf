import type { Conversation } from '../engine/conversation.ts'
import type { Trace } from '../engine/trace.ts'
import type { Rule } from '../linux/netfilter/iptables/rule.ts'
import type { NftRule } from '../linux/netfilter/nftables/ruleset.ts'
import { formatIp, type Ip } from '../packet/ip.ts'
import { formatMac, type Mac } from '../packet/mac.ts'
import { formatPrefix, type Prefix } from '../packet/prefix.ts'
import type { Detail } from './hop-lines.ts'
import { ruleText } from './rule-notes.ts'

export const TRACE_API_VERSION = 'podwalk/v1'

/**
 * A conversation as JSON: addresses and MACs as text, octets as hexadecimal, rules as their tool prints them. The rules
 * that were tried before a match are left out unless `detail` is `rules`. The schema is trace-schema.ts.
 */
export const renderConversationJson = (conversation: Conversation, detail: Detail = 'normal'): string =>
  `${JSON.stringify(conversationDocument(conversation, detail), undefined, 2)}\n`

/** The same as a value, to stand in a larger document. */
export function conversationDocument(conversation: Conversation, detail: Detail): unknown {
  const { steps, packets, ...rest } = conversation
  const document = {
    apiVersion: TRACE_API_VERSION,
    kind: 'Trace',
    ...rest,
    packets: packets.map(summary),
    ...(detail === 'normal' ? {} : { steps }),
  }
  return plain(document, detail)
}

/** Packets that are not told hop by hop. */
const summary = ({ packet, cause, by, sent, disposition }: Trace) => ({ packet, cause, by, sent, disposition })

const MAC_KEYS: ReadonlySet<string> = new Set(['mac', 'senderMac', 'targetMac', 'sourceMac'])

function plain(value: unknown, detail: Detail, key = '', parent?: object): unknown {
  if (value instanceof Uint8Array) return hexOf(value)
  if (typeof value === 'number' && isMac(key, parent)) return formatMac(value as Mac)
  if (typeof value !== 'object' || value === null) return value
  if (Symbol.iterator in value) return Array.from(value as Iterable<unknown>, (item) => plain(item, detail))
  if (isIp(value)) return formatIp(value)
  if (isPrefix(value)) return formatPrefix(value)
  if (isRule(value)) return ruleText(value)
  const out: Record<string, unknown> = {}
  for (const [name, member] of Object.entries(value)) {
    if (name === 'rules' || name === 'triedFrom') {
      if (detail === 'rules') out[name] = plain(member, detail, name, value)
    } else out[name] = plain(member, detail, name, value)
  }
  return out
}

const hexOf = (bytes: Uint8Array): string => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')

/** `dst` and `src` are MACs in a frame, which has no `kind`, and addresses elsewhere. */
const isMac = (key: string, parent: object | undefined): boolean =>
  MAC_KEYS.has(key) || ((key === 'dst' || key === 'src') && parent !== undefined && 'payload' in parent)

const isIp = (value: object): value is Ip => 'family' in value && 'a' in value && 'd' in value
const isPrefix = (value: object): value is Prefix =>
  'address' in value && 'length' in value && Object.keys(value).length === 2
const isRule = (value: object): value is Rule | NftRule =>
  'origin' in value && ('statements' in value || ('matches' in value && 'target' in value))
