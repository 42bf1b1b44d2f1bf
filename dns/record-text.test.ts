import { describe, expect, it } from 'vitest'
import { parseRecord, recordText } from './record-text.ts'

describe('zone file lines', () => {
  it.each([
    ['www.example.com. 300 IN A 93.184.216.34', 'www.example.com. 300 IN A 93.184.216.34'],
    ['www 300 A 192.0.2.1 ; a comment', 'www.example.org. 300 IN A 192.0.2.1'],
    ['@ IN NS ns', 'example.org. 3600 IN NS ns.example.org.'],
    ['www IN 60 CNAME @', 'www.example.org. 60 IN CNAME example.org.'],
    [
      'txt TXT plain "quoted ; no comment" "\\"\\065"',
      'txt.example.org. 3600 IN TXT "plain" "quoted ; no comment" "\\"A"',
    ],
    ['a AAAA 2001:DB8::0:1', 'a.example.org. 3600 IN AAAA 2001:db8::1'],
    [
      's HTTPS 1 . alpn=h2 port=8443 ipv4hint=192.0.2.1',
      's.example.org. 3600 IN HTTPS 1 . alpn="h2" port="8443" ipv4hint="192.0.2.1"',
    ],
  ])('%s', (line, text) => {
    const record = parseRecord(line, 'example.org.')
    expect(record.ok ? recordText(record.value) : record.reason).toBe(text)
  })

  it.each([
    ['', 'the line is empty'],
    ['www A not-an-ip', 'www. A: "not-an-ip" is not an IP address: IPv4 has four octets'],
    ['www A ::1', 'www. A: "::1" is of the other family'],
    ['www AAAA 192.0.2.1', 'www. AAAA: "192.0.2.1" is of the other family'],
    ['www BOGUS x', 'www. BOGUS: "BOGUS" is not a record type'],
    ['www MX mail.', 'www. MX: a number is missing or wrong'],
    ['www CNAME', 'www. CNAME: the target is missing'],
    ['www TYPE65280 \\# 2 0a', 'www. TYPE65280: its data must be written as "\\# LENGTH HEX"'],
    [`${'a'.repeat(64)} A 192.0.2.1`, `label "${'a'.repeat(64)}" is 64 octets long: 63 are allowed`],
  ])('%s is refused with a reason', (line, reason) => {
    const record = parseRecord(line)
    expect(record.ok ? '' : record.reason).toBe(reason)
  })
})
