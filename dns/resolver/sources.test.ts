import { describe, expect, it } from 'vitest'
import { formatIp, ip } from '../../packet/ip.ts'
import { hostsOf, parseHostsFile } from './hosts-file.ts'
import { hostsSources } from './nsswitch.ts'
import { reverseName } from './reverse-name.ts'

describe('sources before DNS', () => {
  it.each([
    ['hosts: files dns\n', ['files', 'dns']],
    ['passwd: files\n  hosts:\tfiles [NOTFOUND=return] mdns4 dns # comment\n', ['files', 'mdns4', 'dns']],
    ['passwd: files\n', ['files', 'dns']],
    [undefined, ['files', 'dns']],
    ['hosts: dns\n', ['dns']],
  ])('nsswitch.conf %j', (text, sources) => expect(hostsSources(text)).toEqual(sources))

  it('hosts lines: aliases, comments, case, several addresses', () => {
    const lines = parseHostsFile(
      '127.0.0.1 localhost # x\n\nbad line\n10.0.0.1\tDB.shop db\n#10.0.0.2 db\nfd00::1 db\n',
    )
    expect(hostsOf(lines, 'db').map(({ address, line }) => `${formatIp(address)} ${line}`)).toEqual([
      '10.0.0.1 4',
      'fd00::1 6',
    ])
    expect(hostsOf(lines, 'db.SHOP')).toHaveLength(1)
    expect(hostsOf(lines, 'x')).toEqual([])
  })

  it('reverse names of both families', () => {
    expect(reverseName(ip('10.96.0.1'))).toBe('1.0.96.10.in-addr.arpa.')
    expect(reverseName(ip('2001:db8::1'))).toBe(
      `${'1.0.0.0.'.repeat(1)}${'0.0.0.0.'.repeat(5)}8.b.d.0.1.0.0.2.ip6.arpa.`,
    )
  })
})
