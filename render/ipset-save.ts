/** `ipset save` of the sets of a namespace: each set, then its members, as they were added. */
export function renderIpset(
  sets: ReadonlyMap<string, { readonly type: string; readonly entries: readonly string[] }>,
): readonly string[] {
  return [...sets].flatMap(([name, { type, entries }]) => [
    `create ${name} ${type}`,
    ...entries.map((entry) => `add ${name} ${entry}`),
  ])
}
