import { query } from '../dns/message.ts'
import { decodeMessage } from '../dns/message-decode.ts'
import { encodeMessage } from '../dns/message-encode.ts'
import { joinName } from '../dns/name.ts'
import { typeOf } from '../dns/record.ts'
import { formatIp } from '../packet/ip.ts'

/**
 * Names that every resolver treats alike: as many dots, and replies of one kind for each name that a search can lead
 * to. What a resolver does depends on nothing else of an ordinary name, so one lookup tells of all names of a class.
 */
export interface NameClass {
  readonly key: string
  /** Addresses by the name asked for and family: what is found differs within a class. */
  readonly found: readonly string[]
}

/** One query asked of the cluster's DNS and answered at once; undefined where that took time, or nothing came. */
export type AskAtOnce = (bytes: Uint8Array) => Uint8Array | undefined

/** Of letters, digits and hyphens, and no name that some library knows without asking, or an address in disguise. */
const ORDINARY = /^(?=.*[g-wyz])[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?)*$/
const SPECIAL = /(^|\.)(localhost|localdomain|local|onion|invalid|arpa|test)$/
/** With a search domain behind it the name must not come near the 253 octets that a name may have. */
const LONGEST = 120

/** The class of a name; undefined where it has to be looked up in earnest. `hosts` is the pod's /etc/hosts. */
export function classOfName(
  name: string,
  { search, hosts }: { readonly search: readonly string[]; readonly hosts: string },
  ask: AskAtOnce,
): NameClass | undefined {
  if (!ORDINARY.test(name) || SPECIAL.test(name) || hosts.includes(name)) return undefined
  if (search.some((domain) => name.length + domain.length > LONGEST)) return undefined
  const found: string[] = []
  const kinds: string[] = [`${name.split('.').length - 1}`]
  for (const domain of [...search, '.'])
    for (const type of ['A', 'AAAA']) {
      const reply = replyKind({ name: joinName(name, domain), type }, ask)
      if (reply === undefined) return undefined
      // That two names have the same addresses is a mark of the class too.
      const same = reply.addresses === '' ? -1 : found.indexOf(reply.addresses)
      kinds.push(`${reply.kind}${same < 0 ? '' : `=${same}`}`)
      found.push(reply.addresses)
    }
  return { key: kinds.join(' '), found }
}

interface ReplyKind {
  readonly kind: string
  readonly addresses: string
}

function replyKind(question: { readonly name: string; readonly type: string }, ask: AskAtOnce): ReplyKind | undefined {
  const bytes = encodeMessage(query(ID, question))
  const answered = bytes.ok ? ask(bytes.value) : undefined
  const reply = answered && decodeMessage(answered)
  if (!reply?.ok || reply.value.flags.truncated || (answered?.length ?? 0) > SMALL) return undefined
  const { rcode, flags, answers, authorities, additionals } = reply.value
  const types = answers.map(typeOf).join()
  const addresses = answers.flatMap((record) =>
    record.type === 'A' || record.type === 'AAAA' ? [formatIp(record.address)] : [],
  )
  return {
    kind: `${rcode}${flags.authoritative ? 'a' : ''}${flags.recursionAvailable ? 'r' : ''}/${types}/${authorities.length}/${additionals.length}`,
    addresses: addresses.sort().join(' '),
  }
}

const ID = 0x7077
/** Whatever size a client advertises, with an OPT record too, such a reply is not cut. */
const SMALL = 480

/** What a lookup found, said in terms of its class: the places in `found` of which it is made. */
export type FoundPlaces = readonly number[] | undefined

/** Undefined: the addresses are not those of one name. */
export function placesOf({ found }: NameClass, addresses: string): FoundPlaces {
  for (let i = 0; i < found.length; i += 2)
    for (const places of [[i], [i + 1], [i, i + 1]]) if (addressesAt(found, places) === addresses) return places
  return undefined
}

/** The addresses at these places, as a lookup tells them. */
export const addressesAt = (found: readonly string[], places: readonly number[]): string =>
  places
    .flatMap((i) => found[i]?.split(' ') ?? [])
    .filter((address) => address !== '')
    .sort()
    .join(' ')
