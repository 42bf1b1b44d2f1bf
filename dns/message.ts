import { RCODE, type ResourceRecord } from './record.ts'

/** A DNS message (RFC 1035 §4). The OPT record (RFC 6891) stands apart in `edns`. */
export interface Message {
  readonly id: number
  readonly opcode: number
  /** With the upper bits of EDNS: 0..4095. */
  readonly rcode: number
  readonly flags: Flags
  readonly questions: readonly Question[]
  readonly answers: readonly ResourceRecord[]
  readonly authorities: readonly ResourceRecord[]
  /** Without the OPT. */
  readonly additionals: readonly ResourceRecord[]
  readonly edns?: Edns
}

export interface Flags {
  readonly response: boolean
  readonly authoritative: boolean
  readonly truncated: boolean
  readonly recursionDesired: boolean
  readonly recursionAvailable: boolean
  readonly authenticData: boolean
  readonly checkingDisabled: boolean
}

export interface Question {
  readonly name: string
  readonly type: string
  readonly class: string
}

export interface Edns {
  /** Octets of UDP payload the sender takes. */
  readonly size: number
  readonly version: number
  readonly dnssecOk: boolean
  /** Flags beside DO that are not assigned, as they stand in the TTL: `0x4000` .. `0x0100`. */
  readonly reserved?: number
  readonly options: readonly EdnsOption[]
}

export interface EdnsOption {
  readonly code: number
  readonly bytes: Uint8Array
}

export const NO_FLAGS: Flags = {
  response: false,
  authoritative: false,
  truncated: false,
  recursionDesired: false,
  recursionAvailable: false,
  authenticData: false,
  checkingDisabled: false,
}

/** A query for one name. */
export const query = (
  id: number,
  question: { readonly name: string; readonly type: string; readonly class?: string },
  more: { readonly flags?: Partial<Flags>; readonly edns?: Edns } = {},
): Message => ({
  id,
  opcode: 0,
  rcode: RCODE.NOERROR,
  flags: { ...NO_FLAGS, recursionDesired: true, ...more.flags },
  questions: [{ class: 'IN', ...question }],
  answers: [],
  authorities: [],
  additionals: [],
  ...(more.edns && { edns: more.edns }),
})

/** An empty reply to `request`: its id, opcode, first question, and of its flags RD and CD (queries only). */
export function replyTo(request: Message, rcode: number = RCODE.NOERROR): Message {
  const first = request.questions[0]
  const isQuery = request.opcode === 0
  return {
    id: request.id,
    opcode: request.opcode,
    rcode,
    flags: {
      ...NO_FLAGS,
      response: true,
      recursionDesired: isQuery && request.flags.recursionDesired,
      checkingDisabled: isQuery && request.flags.checkingDisabled,
    },
    questions: first ? [first] : [],
    answers: [],
    authorities: [],
    additionals: [],
  }
}
