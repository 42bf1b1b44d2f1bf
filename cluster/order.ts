/** Order by UTF-16 code unit, as `sort` has it: the same in every locale. */
export const byText = (x: string, y: string): number => (x < y ? -1 : x > y ? 1 : 0)

interface Named {
  readonly meta: { readonly namespace: string; readonly name: string }
}

/** The order of every list of the Cluster: namespace, then name. */
export const byName = (x: Named, y: Named): number =>
  byText(x.meta.namespace, y.meta.namespace) || byText(x.meta.name, y.meta.name)

/** Labels in the order of their keys, as they are read. */
export const inKeyOrder = (labels: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(labels).sort(([x], [y]) => byText(x, y)))
