import type { Token } from './lexer.ts'

/**
 * The words of a Corefile, with a gap where the last ones were replaced: a file that imports itself is spliced a hundred
 * thousand times, and each time only what was read since is moved.
 */
export class Words {
  private readonly before: Token[] = []
  /** Last word first. */
  private readonly after: Token[]

  constructor(tokens: readonly Token[]) {
    this.after = tokens.toReversed()
  }

  get length(): number {
    return this.before.length + this.after.length
  }

  at(index: number): Token | undefined {
    return index < this.before.length ? this.before[index] : this.after[this.length - 1 - index]
  }

  /** Puts words in the place of so many others. */
  replace(index: number, count: number, words: readonly Token[]): void {
    this.moveGap(index)
    this.after.length = Math.max(0, this.after.length - count)
    for (let i = words.length - 1; i >= 0; i--) this.after.push(words[i] as Token)
  }

  private moveGap(index: number): void {
    while (this.before.length < index && this.after.length > 0) this.before.push(this.after.pop() as Token)
    while (this.before.length > index) this.after.push(this.before.pop() as Token)
  }
}
