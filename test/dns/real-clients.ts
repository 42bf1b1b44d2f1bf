import { digOf } from '../../dns/resolver/bind/dig.ts'
import { EMPTY_LIST } from '../../dns/resolver/node/resolve.ts'
import { addressLines, type RealClient } from './real-compare.ts'

/** What dig prints that is chance, a date, or its version. */
const withoutChance = (text: string): string =>
  text
    .replace(/, id: \d+/g, '')
    .replace(/^;; WHEN: .*\n/gm, '')
    .replace(/^;; Query time: .*\n/gm, '')
    .replace(/^; <<>> DiG .*\n/gm, '')
    .replace(/; COOKIE: \w+/g, '; COOKIE:')
    .replace(/expected ID \d+, got \d+/g, 'expected ID')

/** The programs of this kind that every Debian has, or nearly. */
export const COMMON_CLIENTS: readonly RealClient[] = [
  { name: 'getent ahosts', resolver: 'glibc', command: (name) => ['getent', 'ahosts', name], addrConfig: true },
  { name: 'getent hosts', resolver: 'glibc-gethostbyname', command: (name) => ['getent', 'hosts', name] },
  { name: 'host', resolver: 'host', command: (name) => ['host', name] },
  { name: 'nslookup', resolver: 'nslookup', command: (name) => ['nslookup', name] },
  { name: 'dig', resolver: 'dig', command: (name) => ['dig', name], settle: withoutChance },
  { name: 'dig +search', resolver: 'dig-search', command: (name) => ['dig', '+search', name], settle: withoutChance },
  {
    name: 'dig +short',
    resolver: digOf({ name: 'dig', search: true, short: true }),
    command: (name) => ['dig', '+search', '+short', name],
  },
  {
    name: 'node',
    resolver: 'node',
    command: (name) => [
      process.execPath,
      '-e',
      `require('dns').resolve4(${JSON.stringify(name)}, (e, a) => console.log(e ? e.code : a.join('\\n')))`,
    ],
    print: (outcome) => (!outcome.ok && outcome.message === EMPTY_LIST ? '\n' : addressLines(outcome)),
  },
]

/** The tools again, told of a type. */
export const typedClients = (type: string): readonly RealClient[] => [
  { name: `host -t ${type}`, resolver: 'host', type, command: (name) => ['host', '-t', type, name] },
  {
    name: `nslookup -type=${type}`,
    resolver: 'nslookup',
    type,
    command: (name) => ['nslookup', `-type=${type}`, name],
  },
  {
    name: `dig ${type}`,
    resolver: 'dig-search',
    type,
    command: (name) => ['dig', '+search', name, type],
    settle: withoutChance,
  },
]
