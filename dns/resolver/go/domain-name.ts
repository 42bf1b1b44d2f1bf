const MAX_NAME = 254
const MAX_LABEL = 63

/** isDomainName of src/net/dnsclient.go: letters, digits, `-` and `_`, and not digits alone. */
export function isDomainName(name: string): boolean {
  if (name === '.') return true
  const rooted = name.endsWith('.')
  if (name === '' || name.length > MAX_NAME || (name.length === MAX_NAME && !rooted)) return false
  const labels = (rooted ? name.slice(0, -1) : name).split('.')
  const sound = labels.every(
    (label) => /^[A-Za-z0-9_-]+$/.test(label) && label.length <= MAX_LABEL && !/^-|-$/.test(label),
  )
  return sound && /[A-Za-z_-]/.test(name)
}

/** Names below .onion are never asked for (RFC 7686). */
export const avoidsDns = (name: string): boolean => name === '' || /\.onion\.?$/i.test(name)

/** nameList of src/net/dnsclient_unix.go: the names to try, absolute. */
export function nameList(
  name: string,
  conf: { readonly search: readonly string[]; readonly ndots: number },
): readonly string[] {
  const rooted = name.endsWith('.')
  if (name.length > MAX_NAME || (name.length === MAX_NAME && !rooted)) return []
  if (rooted) return avoidsDns(name) ? [] : [name]
  const dots = name.split('.').length - 1
  const asIs = avoidsDns(`${name}.`) ? [] : [`${name}.`]
  const listed = conf.search
    .map((suffix) => `${name}.${suffix}`)
    .filter((candidate) => !avoidsDns(candidate) && candidate.length <= MAX_NAME)
  return dots >= conf.ndots ? [...asIs, ...listed] : [...listed, ...asIs]
}
