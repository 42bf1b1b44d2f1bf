/** One line of the code changed so that it no longer does what the real system does. */
export interface Change {
  /** kebab-case. */
  readonly name: string
  readonly file: string
  /** Found exactly once in the file. */
  readonly find: string
  readonly replace: string
  /** What the machine does wrong then. */
  readonly breaks: string
}

/** Changes to one part of the product, and the judge that has to notice them. */
export interface Group {
  readonly name: string
  /**
   * Run in a copy of the repository with the change in it: a code other than 0 means that it was noticed. A line of its
   * output that begins with `caught by ` tells by what.
   */
  readonly command: readonly string[]
  /** Asked about what `command` did not notice, where it may (it takes root); `{seed}` is replaced. */
  readonly live?: readonly string[]
  /** How many of the changes have to be noticed. */
  readonly atLeast: number
  readonly changes: readonly Change[]
}

/** The text with the change in it, or why there is none: its `find` has to be there exactly once. */
export function changed(text: string, { file, find, replace, name }: Change): { readonly text: string } | string {
  const count = text.split(find).length - 1
  if (count !== 1) return `${name}: ${count} places in ${file} are like ${JSON.stringify(find)}; one is meant`
  if (find === replace) return `${name}: changes nothing`
  const at = text.indexOf(find)
  return { text: text.slice(0, at) + replace + text.slice(at + find.length) }
}
