import { glibcGetaddrinfo } from './glibc/getaddrinfo.ts'
import { glibcGetentHosts } from './glibc/gethostbyname.ts'
import type { Resolver } from './lookup.ts'

/** The resolver libraries that are emulated. A new one is a file and a line here. */
export const resolvers = {
  glibc: glibcGetaddrinfo,
  'glibc-gethostbyname': glibcGetentHosts,
} as const satisfies Record<string, Resolver>

export type ResolverName = keyof typeof resolvers

export const isResolverName = (name: string): name is ResolverName => Object.hasOwn(resolvers, name)
