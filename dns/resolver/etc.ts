import type { LookupIo, LookupRequest } from './lookup.ts'

/** What a process reads about itself and its machine: files of its /etc, its environment, the hostname. */

export const readEtc = (io: LookupIo, { root }: LookupRequest, name: string): string | undefined =>
  io.file(`${root ?? ''}/etc/${name}`)

/** What libraries ask the environment for. */
const ASKED = ['LOCALDOMAIN', 'RES_OPTIONS']

/**
 * Of the environment of the container's first process what libraries ask for: with the variables of ten thousand
 * Services in it, it is read in one go. The first of two with one name is it, as for getenv(3).
 */
export function environmentOf(io: LookupIo, { root }: LookupRequest): ReadonlyMap<string, string> {
  const text = io.file(`${root ?? ''}/proc/1/environ`) ?? ''
  const environment = new Map<string, string>()
  for (const name of ASKED) {
    const value = variable(text, `${name}=`)
    if (value !== undefined) environment.set(name, value)
  }
  return environment
}

function variable(text: string, head: string): string | undefined {
  const at = text.startsWith(head) ? 0 : text.indexOf(`\0${head}`) + 1
  if (!text.startsWith(head, at)) return undefined
  const end = text.indexOf('\0', at)
  return text.slice(at + head.length, end < 0 ? undefined : end)
}

/** gethostname(2). */
export const hostnameOf = (io: LookupIo, request: LookupRequest): string =>
  (readEtc(io, request, 'hostname') ?? io.host).trim()

/** The part behind the first dot of the machine's own name: what is searched where resolv.conf says nothing. */
export function domainOfHost(hostname: string): readonly string[] {
  const dot = hostname.indexOf('.')
  return dot < 0 || dot === hostname.length - 1 ? [] : [hostname.slice(dot + 1)]
}
