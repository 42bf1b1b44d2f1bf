import { digOf } from './bind/dig.ts'
import { bindHost } from './bind/host.ts'
import { bindNslookup } from './bind/nslookup.ts'
import { busyboxNslookupOf } from './busybox/nslookup.ts'
import { caresGetaddrinfo } from './c-ares/getaddrinfo.ts'
import { GLIBC, glibcGetaddrinfo, glibcGetaddrinfoOf } from './glibc/getaddrinfo.ts'
import { glibcGetentHosts } from './glibc/gethostbyname.ts'
import { goLookupOf } from './go/lookup.ts'
import { GO } from './go/version.ts'
import { javaInetAddress } from './java/inet-address.ts'
import type { Resolver } from './lookup.ts'
import { muslGetaddrinfoOf } from './musl/getaddrinfo.ts'
import { muslVersion } from './musl/version.ts'
import { nodeLookup, nodeResolve } from './node/resolve.ts'

/** The resolver libraries and tools that are emulated, by the name they are asked for. A new one is a line here. */
export const resolvers = {
  glibc: glibcGetaddrinfo,
  'glibc-gethostbyname': glibcGetentHosts,
  'glibc-2.17': glibcGetaddrinfoOf(17),
  'glibc-2.26': glibcGetaddrinfoOf(26),
  musl: muslGetaddrinfoOf('musl', muslVersion(1, 2, 5), 'getaddrinfo of musl 1.2.5 (Alpine 3.18 and later)'),
  'musl-1.2.3': muslGetaddrinfoOf('musl-1.2.3', muslVersion(1, 2, 3), 'getaddrinfo of musl before 1.2.4: no TCP'),
  'musl-1.1': muslGetaddrinfoOf(
    'musl-1.1',
    muslVersion(1, 1, 24),
    'getaddrinfo of musl 1.1.24 (Alpine 3.12 and before)',
  ),
  go: goLookupOf('go', GO),
  'go-1.19': goLookupOf('go-1.19', 19),
  'c-ares': caresGetaddrinfo,
  node: nodeResolve,
  'node-lookup': nodeLookup,
  java: javaInetAddress,
  busybox: busyboxNslookupOf('busybox', 'glibc'),
  'busybox-musl': busyboxNslookupOf('busybox-musl', 'musl'),
  dig: digOf({ name: 'dig' }),
  'dig-search': digOf({ name: 'dig-search', search: true }),
  host: bindHost,
  nslookup: bindNslookup,
} as const satisfies Record<string, Resolver>

export type ResolverName = keyof typeof resolvers

export const isResolverName = (name: string): name is ResolverName => Object.hasOwn(resolvers, name)

/** Other names people give them. */
const ALIASES: Readonly<Record<string, ResolverName>> = {
  [`glibc-2.${GLIBC}`]: 'glibc',
  'glibc-getaddrinfo': 'glibc',
  'getent-hosts': 'glibc-gethostbyname',
  getent: 'glibc',
  'musl-1.2.5': 'musl',
  'musl-1.2': 'musl',
  alpine: 'musl',
  golang: 'go',
  netgo: 'go',
  [`go-1.${GO}`]: 'go',
  cares: 'c-ares',
  'node-resolve': 'node',
  openjdk: 'java',
  'busybox-1.35': 'busybox',
  'dig+search': 'dig-search',
}

/** The resolver of a name or an alias; letter case does not count. */
export function resolverNamed(text: string): ResolverName | undefined {
  const name = text.toLowerCase()
  return isResolverName(name) ? name : Object.hasOwn(ALIASES, name) ? ALIASES[name] : undefined
}

export const resolverNames: readonly ResolverName[] = Object.keys(resolvers).filter(isResolverName)

/** One of each kind, as it is met today: what `all` means. The others are older releases and other ways in. */
export const usualResolvers: readonly ResolverName[] = [
  'glibc',
  'musl',
  'go',
  'node',
  'java',
  'busybox',
  'dig',
  'host',
  'nslookup',
]
