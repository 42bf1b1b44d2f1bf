import type { ByteSource } from './byte-source.ts'

/**
 * DEFLATE (RFC 1951), unpacked piece by piece. Our own because loading is synchronous and runs in browsers, where
 * nothing else unpacks a stream without holding all of it; and because it can go on from a checkpoint, so that a line of
 * a large packed file is found again without unpacking what stands before it.
 */
export interface Inflating {
  /** The next bytes, valid until the next call; undefined at the end or at a fault. */
  readonly next: () => Uint8Array | undefined
  readonly fault: () => string | undefined
  /** Offset of the first byte of the input that was not used; right after the end only. */
  readonly inputOffset: () => number
  /** Where unpacking can begin again, where that was just reached: before a block. */
  readonly checkpoint: () => Checkpoint | undefined
}

export interface Checkpoint {
  /** Offset into the input, and the bits of that byte that are used already. */
  readonly input: number
  readonly bit: number
  /** Offset into the output. */
  readonly output: number
  /** The last 32 KiB of output, which copies reach back into. */
  readonly history: Uint8Array
}

const HISTORY = 1 << 15
const PIECE = 1 << 18
/** The longest copy of one symbol. */
const LONGEST_COPY = 258
const INPUT_PIECE = 1 << 16
const END_OF_BLOCK = 256
const MOST_BITS = 15

const LENGTH_BASE = [
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
]
const LENGTH_EXTRA = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0]
const DISTANCE_BASE = [
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145,
  8193, 12289, 16385, 24577,
]
const DISTANCE_EXTRA = [
  0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13,
]
/** The order in which the lengths of the code length code stand (RFC 1951 3.2.7). */
const CODE_LENGTH_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]

/** A prefix code as a table: the next `bits` bits of the input give `symbol << 4 | length`, 0 where no code is. */
interface Code {
  readonly table: Uint16Array
  readonly bits: number
}

/** Makes the table of a canonical code from the lengths of its symbols; undefined where the lengths are no code. */
function codeOf(lengths: Uint8Array): Code | undefined {
  const count = new Uint16Array(MOST_BITS + 1)
  for (const length of lengths) count[length] = (count[length] ?? 0) + 1
  count[0] = 0
  let bits = MOST_BITS
  while (bits > 1 && count[bits] === 0) bits--
  const next = new Uint16Array(MOST_BITS + 2)
  let left = 1
  for (let length = 1; length <= MOST_BITS; length++) {
    left = left * 2 - (count[length] ?? 0)
    if (left < 0) return undefined
    next[length + 1] = ((next[length] ?? 0) + (count[length] ?? 0)) << 1
  }
  const table = new Uint16Array(1 << bits)
  for (let symbol = 0; symbol < lengths.length; symbol++) {
    const length = lengths[symbol] ?? 0
    if (length === 0) continue
    const code = next[length] ?? 0
    next[length] = code + 1
    for (let at = reversed(code, length); at < table.length; at += 1 << length) table[at] = (symbol << 4) | length
  }
  return { table, bits }
}

/** The code's bits stand in the input with the first one lowest. */
function reversed(code: number, length: number): number {
  let result = 0
  for (let i = 0; i < length; i++) result |= ((code >>> i) & 1) << (length - 1 - i)
  return result
}

const fixedLengths = Uint8Array.from({ length: 288 }, (_, symbol) =>
  symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8,
)
const FIXED_LITERALS = codeOf(fixedLengths)
const FIXED_DISTANCES = codeOf(new Uint8Array(30).fill(5))

type Block =
  | { readonly kind: 'none' }
  | { readonly kind: 'stored'; left: number }
  | { readonly kind: 'coded'; readonly literals: Code; readonly distances: Code }

const NO_BLOCK: Block = { kind: 'none' }

/** Unpacks from an offset of `source`, or goes on from a checkpoint. */
export function inflate(source: ByteSource, from: number | Checkpoint): Inflating {
  const input = new Uint8Array(INPUT_PIECE)
  let inputStart = typeof from === 'number' ? from : from.input
  let inputEnd = 0
  let inputAt = 0
  let hold = 0
  let held = 0
  /** Bits in `hold` that are no input: zeros behind its end. */
  let beyond = 0
  const output = new Uint8Array(HISTORY + PIECE)
  let outputAt = HISTORY
  let outputStart = typeof from === 'number' ? 0 : from.output
  let filled = 0
  let block: Block = NO_BLOCK
  let last = false
  let done = false
  let atBlock = false
  let fault: string | undefined

  if (typeof from !== 'number') {
    output.set(from.history, HISTORY - from.history.length)
    filled = from.history.length
    take(from.bit)
  }

  function moreInput(): boolean {
    inputStart += inputEnd
    inputAt = 0
    inputEnd = source.read(inputStart, input)
    return inputEnd > 0
  }
  /** At least 25 bits in `hold`. */
  function fill(): void {
    while (held <= 24) {
      if (inputAt === inputEnd && !moreInput()) beyond += 8
      else hold |= (input[inputAt++] ?? 0) << held
      held += 8
    }
  }
  /** The next `bits` (up to 16) bits. */
  function take(bits: number): number {
    if (bits === 0) return 0
    fill()
    const value = hold & ((1 << bits) - 1)
    hold >>>= bits
    held -= bits
    return value
  }
  function symbol({ table, bits }: Code): number {
    fill()
    const entry = table[hold & ((1 << bits) - 1)] ?? 0
    const length = entry & 15
    if (length === 0) return -1
    hold >>>= length
    held -= length
    return entry >>> 4
  }
  const isCutOff = () => held < beyond
  const wrong = (reason: string): void => {
    fault = isCutOff() ? 'it is cut off' : reason
    done = true
  }

  function beginBlock(): void {
    last = take(1) === 1
    const type = take(2)
    if (type === 0) beginStored()
    else if (type === 1 && FIXED_LITERALS !== undefined && FIXED_DISTANCES !== undefined)
      block = { kind: 'coded', literals: FIXED_LITERALS, distances: FIXED_DISTANCES }
    else if (type === 2) beginDynamic()
    else wrong('a block of no known type')
    if (isCutOff()) wrong('it is cut off')
  }
  function beginStored(): void {
    const odd = held & 7
    hold >>>= odd
    held -= odd
    const length = take(16)
    if (take(16) !== (length ^ 0xffff)) wrong('the length of a stored block is wrong')
    else block = { kind: 'stored', left: length }
  }
  function beginDynamic(): void {
    const literals = take(5) + 257
    const distances = take(5) + 1
    const codes = take(4) + 4
    const order = new Uint8Array(19)
    for (let i = 0; i < codes; i++) order[CODE_LENGTH_ORDER[i] ?? 0] = take(3)
    const code = codeOf(order)
    if (code === undefined) return wrong('the code of a block is wrong')
    const lengths = new Uint8Array(literals + distances)
    for (let i = 0; i < lengths.length; ) {
      const found = symbol(code)
      if (found < 0 || isCutOff()) return wrong('the code of a block is wrong')
      if (found < 16) {
        lengths[i++] = found
        continue
      }
      if (found === 16 && i === 0) return wrong('the code of a block is wrong')
      const repeated = found === 16 ? (lengths[i - 1] ?? 0) : 0
      const times = found === 16 ? 3 + take(2) : found === 17 ? 3 + take(3) : 11 + take(7)
      if (i + times > lengths.length) return wrong('the code of a block is wrong')
      lengths.fill(repeated, i, i + times)
      i += times
    }
    const literalCode = codeOf(lengths.subarray(0, literals))
    const distanceCode = codeOf(lengths.subarray(literals))
    if (literalCode === undefined || distanceCode === undefined) return wrong('the code of a block is wrong')
    block = { kind: 'coded', literals: literalCode, distances: distanceCode }
  }

  function copyStored(stored: { left: number }): void {
    while (stored.left > 0 && outputAt < output.length) {
      output[outputAt++] = take(8)
      stored.left--
      if (isCutOff()) {
        outputAt--
        return wrong('it is cut off')
      }
    }
    if (stored.left === 0) block = NO_BLOCK
  }

  /** The hot loop: `fill` and `symbol` once more, by hand. */
  function decode({ literals, distances }: { literals: Code; distances: Code }): void {
    const literalTable = literals.table
    const literalMask = (1 << literals.bits) - 1
    const limit = output.length - LONGEST_COPY
    while (outputAt <= limit) {
      while (held <= 24) {
        if (inputAt === inputEnd && !moreInput()) beyond += 8
        else hold |= (input[inputAt++] as number) << held
        held += 8
      }
      const entry = literalTable[hold & literalMask] as number
      const bits = entry & 15
      hold >>>= bits
      held -= bits
      if (beyond > held || bits === 0) return wrong('a code that is none')
      const found = entry >>> 4
      if (found < END_OF_BLOCK) {
        output[outputAt++] = found
        continue
      }
      if (found === END_OF_BLOCK) {
        block = NO_BLOCK
        return
      }
      const lengthBase = LENGTH_BASE[found - 257]
      if (lengthBase === undefined) return wrong('a length that is none')
      const length = lengthBase + take(LENGTH_EXTRA[found - 257] ?? 0)
      const distanceSymbol = symbol(distances)
      const distanceBase = distanceSymbol < 0 ? undefined : DISTANCE_BASE[distanceSymbol]
      if (distanceBase === undefined) return wrong('a distance that is none')
      const distance = distanceBase + take(DISTANCE_EXTRA[distanceSymbol] ?? 0)
      if (isCutOff()) return wrong('it is cut off')
      if (distance > outputAt - HISTORY + filled) return wrong('a copy from before the beginning')
      let copied = outputAt - distance
      const end = outputAt + length
      if (distance >= length && length > 32) {
        output.copyWithin(outputAt, copied, copied + length)
        outputAt = end
      } else while (outputAt < end) output[outputAt++] = output[copied++] as number
    }
  }

  /** Makes room: the last 32 KiB become history. */
  function turn(): void {
    const produced = outputAt - HISTORY
    outputStart += produced
    filled = Math.min(HISTORY, filled + produced)
    output.copyWithin(0, outputAt - HISTORY, outputAt)
    outputAt = HISTORY
  }

  return {
    next() {
      turn()
      atBlock = false
      while (!done && outputAt <= output.length - LONGEST_COPY - 1) {
        if (block.kind === 'none') {
          if (last) {
            done = true
            break
          }
          // A piece ends before a block, so that a checkpoint can be taken there.
          if (outputAt > HISTORY + PIECE / 2) {
            atBlock = true
            break
          }
          beginBlock()
        } else if (block.kind === 'stored') copyStored(block)
        else decode(block)
      }
      return outputAt === HISTORY ? undefined : output.subarray(HISTORY, outputAt)
    },
    fault: () => fault,
    inputOffset: () => inputStart + inputAt - ((held - beyond) >>> 3),
    checkpoint() {
      if (!atBlock) return undefined
      const bits = held - beyond
      const whole = (bits + 7) >>> 3
      const produced = outputAt - HISTORY
      const history = output.slice(Math.max(HISTORY - filled, outputAt - HISTORY), outputAt)
      return {
        input: inputStart + inputAt - whole,
        bit: whole * 8 - bits,
        output: outputStart + produced,
        history,
      }
    },
  }
}
