/** `ipset save` of the sets of a namespace: each set, then its members: ports in order, others as they were added. */
export function renderIpset(
  sets: ReadonlyMap<string, { readonly type: string; readonly entries: readonly string[] }>,
): readonly string[] {
  return [...sets].flatMap(([name, { type, entries }]) => [
    `create ${name} ${type}`,
    ...(type.startsWith('bitmap:port') ? inNumbers(entries) : entries).map((entry) => `add ${name} ${entry}`),
  ])
}

const inNumbers = (entries: readonly string[]): readonly string[] =>
  entries.toSorted((x, y) => Number.parseInt(x, 10) - Number.parseInt(y, 10))
