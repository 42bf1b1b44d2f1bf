/** A query that was seen, for the question whether two runs are the same. */
export interface ComparedQuery {
  /** Everything that must be equal: name, type, transport, server. */
  readonly what: string
  readonly socket: string
  /** Queries of one batch from different sockets may swap. */
  readonly batch: number | string
}

/**
 * The queries in an order that chance cannot change, sockets numbered by first use: within a batch that came from
 * several sockets the order is free.
 */
export function settled(queries: readonly ComparedQuery[]): readonly string[] {
  const batches: ComparedQuery[][] = []
  for (const query of queries) {
    const batch = batches.at(-1)
    if (batch && batch[0]?.batch === query.batch) batch.push(query)
    else batches.push([query])
  }
  const ordered = batches.flatMap((batch) =>
    new Set(batch.map(({ socket }) => socket)).size === 1
      ? batch
      : [...batch].sort((x, y) => (x.what < y.what ? -1 : x.what > y.what ? 1 : 0)),
  )
  const numbers = new Map<string, number>()
  return ordered.map(({ what, socket }) => {
    const number = numbers.get(socket) ?? numbers.size
    numbers.set(socket, number)
    return `${what} socket ${number}`
  })
}

/**
 * What a program printed without what is chance: the local port of a socket that Go names, which of two families
 * answered Go first where neither can be reached, and in which order the replies reached busybox.
 */
export const withoutChance = (text: string): string =>
  text
    .replace(/read udp \S+->/, 'read udp ')
    .replace(/^\[([0-9a-f:.]+ [0-9a-f:. ]+)\]$/, (_, list: string) => `[${list.split(' ').sort().join(' ')}]`)
    .replace(/^(Server:\t\t\S+\nAddress:\t\S+:53)\n+([\s\S]*)$/, (_, head: string, body: string) =>
      [head, ...body.split(/\n\n+/).sort()].join('\n\n'),
    )
