import { describe, expect, it } from 'vitest'
import { lookupProgram } from '../../dns/resolver/program.ts'
import type { DnsStep } from '../../dns/step.ts'
import { newRouter } from '../../linux/netfilter/testing/router.ts'
import type { Program } from '../../linux/process.ts'
import { startProcess } from '../../linux/run-process.ts'
import { formatIp, ip } from '../../packet/ip.ts'
import { prefix } from '../../packet/prefix.ts'

/** What getaddrinfo finds in /etc/hosts on a machine with 10.0.1.1/24, 10.0.2.1/24, fd00:1::1/64 and fd00:2::1/64. */
function lookedUp(addresses: readonly string[]): readonly string[] {
  const text = addresses.map((address) => `${address} multi\n`).join('')
  const away = { type: 'unicast', destination: prefix('10.9.0.0/16'), via: ip('10.0.2.9'), protocol: 'boot' } as const
  const router = newRouter({
    ops: [
      { kind: 'file.write', path: '/etc/hosts', text },
      { kind: 'route.replace', route: away },
    ],
  })
  const lookup = lookupProgram('glibc')
  const notes: DnsStep[] = []
  const watched: Program = {
    ...lookup,
    start(context) {
      const result = lookup.start(context)
      notes.push(...((result.notes ?? []) as readonly DnsStep[]))
      return result
    },
  }
  startProcess(router.ns, 'lookup', watched, { name: 'multi' })
  return notes.flatMap((note) => (note.kind === 'dns.result' ? note.addresses.map(formatIp) : []))
}

describe('getaddrinfo in an emulated namespace sorts by its routes and addresses', () => {
  it.each([
    [
      'the own subnets first, the nearest address first',
      ['192.0.2.9', '10.0.1.200', '10.0.2.7', '10.0.1.3'],
      ['10.0.1.3', '10.0.2.7', '10.0.1.200', '192.0.2.9'],
    ],
    ['outside of them as they came', ['192.0.2.9', '10.9.0.1', '10.0.1.3'], ['10.0.1.3', '192.0.2.9', '10.9.0.1']],
    ['what has no route last', ['198.51.100.1', '192.0.2.9', '10.0.1.3'], ['10.0.1.3', '192.0.2.9', '198.51.100.1']],
    ['IPv6 before IPv4', ['10.0.1.3', 'fd00:2::9', 'fd00:1::9'], ['fd00:2::9', 'fd00:1::9', '10.0.1.3']],
    ['IPv6 without a route after IPv4', ['2001:db8::1', '10.0.1.3'], ['10.0.1.3', '2001:db8::1']],
  ])('%s', (_, addresses, order) => expect(lookedUp(addresses)).toEqual(order))
})
