/** What CoreDNS takes from a file in the form of resolv.conf (miekg/dns 1.1.73 clientconfig.go). */
export interface ClientConfig {
  /** As written: nobody has checked that they are addresses. */
  readonly servers: readonly string[]
  readonly search: readonly string[]
}

/** The last `search` or `domain` line counts; a keyword may be indented. */
export function parseClientConfig(text: string): ClientConfig {
  const servers: string[] = []
  let search: readonly string[] = []
  for (const line of text.split('\n')) {
    const [keyword, ...words] = line.split(/\s+/).filter((word) => word !== '')
    if (keyword === 'nameserver' && words[0] !== undefined) servers.push(words[0])
    else if (keyword === 'domain') search = words.slice(0, 1)
    else if (keyword === 'search') search = words
  }
  return { servers, search }
}
