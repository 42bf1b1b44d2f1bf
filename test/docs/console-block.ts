/** An example in a document: a command and what it prints. `[...]` stands for lines left out. */
export interface Example {
  readonly file: string
  /** 1-based line of the command. */
  readonly line: number
  readonly args: readonly string[]
  readonly output: readonly string[]
}

/** The `$ podwalk ...` examples of the ```console blocks of a Markdown text. */
export function examplesOf(file: string, text: string): readonly Example[] {
  const examples: Example[] = []
  let inside = false
  let current: { line: number; args: readonly string[]; output: string[] } | undefined
  const close = (): void => {
    if (current !== undefined) examples.push({ file, ...current })
    current = undefined
  }
  for (const [i, line] of text.split('\n').entries()) {
    if (line.startsWith('```')) {
      close()
      inside = line === '```console'
      continue
    }
    if (!inside) continue
    const command = /^\$ podwalk (.*)$/.exec(line)
    if (command !== null) {
      close()
      current = { line: i + 1, args: wordsOf(command[1] ?? ''), output: [] }
    } else current?.output.push(line)
  }
  close()
  return examples
}

/** A shell command's words; only plain words and single or double quotes are used in examples. */
const wordsOf = (command: string): readonly string[] =>
  [...command.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map((word) => word[1] ?? word[2] ?? word[3] ?? '')

/** The first line that is not as the document says, or undefined. */
export function firstDifference(
  expected: readonly string[],
  actual: readonly string[],
): { readonly expected: string; readonly near: string } | undefined {
  let at = 0
  let skipping = false
  for (const line of expected) {
    if (line === '[...]') {
      skipping = true
      continue
    }
    const found = skipping ? actual.indexOf(line, at) : at
    if (found < 0 || actual[found] !== line) return { expected: line, near: actual[at] ?? '(end of output)' }
    at = found + 1
    skipping = false
  }
  const rest = actual.slice(at).filter((line) => line !== '')
  return skipping || rest.length === 0 ? undefined : { expected: '(end of output)', near: rest[0] ?? '' }
}

/** The fenced blocks of one language. */
export function blocksOf(text: string, language: string): readonly string[] {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(
    (block) => block[1] ?? '',
  )
}
