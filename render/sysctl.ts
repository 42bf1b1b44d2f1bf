/** The sysctls that were set, as `sysctl` prints them: `net.ipv4.ip_forward = 1`, by key. */
export function renderSysctl({ sysctls }: { readonly sysctls: ReadonlyMap<string, number> }): readonly string[] {
  return [...sysctls].sort(([x], [y]) => (x < y ? -1 : x > y ? 1 : 0)).map(([key, value]) => `${key} = ${value}`)
}
