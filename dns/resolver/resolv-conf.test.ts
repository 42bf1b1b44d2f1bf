import { describe, expect, it } from 'vitest'
import { formatIp } from '../../packet/ip.ts'
import { parseResolvConf, type ResolvConfSurroundings } from './resolv-conf.ts'

const parse = (text: string | undefined, around: Partial<ResolvConfSurroundings> = {}) => {
  const conf = parseResolvConf(text, { glibc: 36, hostname: 'web', env: new Map(), ...around })
  return { ...conf, servers: conf.servers.map(formatIp), flags: [...conf.flags] }
}

describe("glibc's reading of resolv.conf", () => {
  it.each([
    [
      'no file: the server of the machine itself',
      undefined,
      { servers: ['127.0.0.1'], search: [], ndots: 1, timeout: 5, attempts: 2 },
    ],
    [
      'three servers at most',
      'nameserver 1.1.1.1\nnameserver 2.2.2.2\nnameserver 3.3.3.3\nnameserver 4.4.4.4\n',
      { servers: ['1.1.1.1', '2.2.2.2', '3.3.3.3'] },
    ],
    ['a server that is no address is passed over', 'nameserver x\nnameserver fe80::1%eth0\n', { servers: ['fe80::1'] }],
    ['the last search or domain line counts', 'search a b\ndomain c d\n', { search: ['c'] }],
    ['a keyword starts its line, and a blank follows it', ' search a\nsearchb\nsearch\tc\n', { search: ['c'] }],
    ['comments', '# search a\n;search b\n', { search: [] }],
    ['caps of the numbers', 'options ndots:99 timeout:99 attempts:99\n', { ndots: 15, timeout: 30, attempts: 5 }],
    [
      'flags, the longer name first',
      'options single-request-reopen rotate\n',
      { flags: ['single-request-reopen', 'rotate'] },
    ],
    ['unknown options are passed over', 'options bogus ndots:3 inet6\n', { ndots: 3, flags: [] }],
    ['later options add up', 'options ndots:3\noptions rotate\n', { ndots: 3, flags: ['rotate'] }],
  ])('%s', (_, text, expected) => expect(parse(text)).toMatchObject(expected))

  it('without a search line, the domain of the own name', () => {
    expect(parse('nameserver 1.1.1.1\n', { hostname: 'web.nginx.shop.svc.cluster.local' }).search).toEqual([
      'nginx.shop.svc.cluster.local',
    ])
  })

  it('the environment overrides search and options', () => {
    const env = new Map([
      ['LOCALDOMAIN', 'x y'],
      ['RES_OPTIONS', 'ndots:7'],
    ])
    expect(parse('search a\noptions ndots:2\n', { env })).toMatchObject({ search: ['x', 'y'], ndots: 7 })
  })

  it('before 2.26 six domains and 256 characters; options by their release', () => {
    const search = Array.from({ length: 8 }, (_, i) => `d${i}`).join(' ')
    expect(parse(`search ${search}\noptions no-aaaa trust-ad\n`, { glibc: 17 })).toMatchObject({
      search: search.split(' ').slice(0, 6),
      flags: [],
    })
    expect(parse('options no-aaaa trust-ad\n', { glibc: 31 }).flags).toEqual(['trust-ad'])
    const long = [`${'a'.repeat(120)}`, 'b'.repeat(120), 'c'.repeat(20)]
    expect(parse(`search ${long.join(' ')}\n`, { glibc: 17 }).search).toEqual(long.slice(0, 2))
    expect(parse(`search ${long.join(' ')}\n`).search).toEqual(long)
  })
})
