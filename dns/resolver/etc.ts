import type { LookupIo, LookupRequest } from './lookup.ts'

/** What a process reads about itself and its machine: files of its /etc, its environment, the hostname. */

export const readEtc = (io: LookupIo, { root }: LookupRequest, name: string): string | undefined =>
  io.file(`${root ?? ''}/etc/${name}`)

/** The environment of the container's first process. */
export function environmentOf(io: LookupIo, { root }: LookupRequest): ReadonlyMap<string, string> {
  const variables = (io.file(`${root ?? ''}/proc/1/environ`) ?? '').split('\0').filter((line) => line.includes('='))
  return new Map(variables.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]))
}

/** gethostname(2). */
export const hostnameOf = (io: LookupIo, request: LookupRequest): string =>
  (readEtc(io, request, 'hostname') ?? io.host).trim()

/** The part behind the first dot of the machine's own name: what is searched where resolv.conf says nothing. */
export function domainOfHost(hostname: string): readonly string[] {
  const dot = hostname.indexOf('.')
  return dot < 0 || dot === hostname.length - 1 ? [] : [hostname.slice(dot + 1)]
}
