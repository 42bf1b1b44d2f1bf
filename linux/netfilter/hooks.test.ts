import { describe, expect, it } from 'vitest'
import { listConntrack } from './conntrack-table.ts'
import { PRIORITY } from './hooks.ts'
import { udp } from './testing/packets.ts'
import { newRouter, type RouterSetup } from './testing/router.ts'
import { pass, send } from './testing/story.ts'

describe('the order of a hook', () => {
  it('is the kernel’s: raw before conntrack before mangle before NAT before filter; source NAT after; confirm last', () => {
    expect(Object.entries(PRIORITY).sort((x, y) => x[1] - y[1])).toEqual([
      ['defrag', -400],
      ['raw', -300],
      ['conntrack', -200],
      ['mangle', -150],
      ['natDst', -100],
      ['filter', 0],
      ['natSrc', 100],
      ['conntrackConfirm', 0x7fffffff],
    ])
  })

  const EVERY = ['raw', 'mangle', 'nat', 'filter']
    .map((table) => {
      const chains = {
        raw: ['PREROUTING', 'OUTPUT'],
        mangle: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
        nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
        filter: ['INPUT', 'FORWARD', 'OUTPUT'],
      }[table]
      const rules = chains?.map((chain) => `-A ${chain} -p udp`)
      return [
        `*${table}`,
        ...(rules ?? []),
        ...(table === 'nat' ? ['-A PREROUTING -p sctp -j DNAT --to-destination 1.1.1.1'] : []),
        'COMMIT',
      ].join('\n')
    })
    .join('\n')

  it('a forwarded packet', () => {
    const router = newRouter({ rules: EVERY })
    expect(pass(router, 'r0', udp('10.0.1.2:1', '10.0.2.2:2'))).toEqual([
      'prerouting in r0',
      'raw PREROUTING 1 continue',
      'raw PREROUTING ACCEPT',
      'conntrack new',
      'mangle PREROUTING 1 continue',
      'mangle PREROUTING ACCEPT',
      'nat PREROUTING 1 continue',
      'nat PREROUTING ACCEPT',
      'forward in r0 out r1',
      'mangle FORWARD 1 continue',
      'mangle FORWARD ACCEPT',
      'filter FORWARD 1 continue',
      'filter FORWARD ACCEPT',
      'postrouting in r0 out r1',
      'mangle POSTROUTING 1 continue',
      'mangle POSTROUTING ACCEPT',
      'nat POSTROUTING 1 continue',
      'nat POSTROUTING ACCEPT',
      'confirm',
    ])
  })

  it('a packet to the machine, and its own', () => {
    const router = newRouter({ rules: EVERY })
    expect(pass(router, 'r0', udp('10.0.1.2:1', '10.0.1.1:2')).slice(8, 15)).toEqual([
      'input in r0',
      'mangle INPUT 1 continue',
      'mangle INPUT ACCEPT',
      'filter INPUT 1 continue',
      'filter INPUT ACCEPT',
      'nat INPUT 1 continue',
      'nat INPUT ACCEPT',
    ])
    expect(send(router, udp('10.0.2.1:7', '10.0.2.2:8'))).toEqual([
      'output out r1',
      'raw OUTPUT 1 continue',
      'raw OUTPUT ACCEPT',
      'conntrack new',
      'mangle OUTPUT 1 continue',
      'mangle OUTPUT ACCEPT',
      'nat OUTPUT 1 continue',
      'nat OUTPUT ACCEPT',
      'filter OUTPUT 1 continue',
      'filter OUTPUT ACCEPT',
      'postrouting out r1',
      'mangle POSTROUTING 1 continue',
      'mangle POSTROUTING ACCEPT',
      'nat POSTROUTING 1 continue',
      'nat POSTROUTING ACCEPT',
      'confirm',
    ])
  })

  it('a namespace without rules leaves no step, and IPv4 rules say nothing to IPv6', () => {
    expect(pass(newRouter({}), 'r0', udp('10.0.1.2:1', '10.0.2.2:2'))).toEqual([])
    expect(pass(newRouter({ rules: EVERY }), 'r0', udp('[fd00:1::2]:1', '[fd00:2::2]:2'))).toEqual([])
  })

  it('a chain without rules is passed over, unless its policy drops', () => {
    const rules = '*filter\n:FORWARD DROP [0:0]\n-A INPUT -j ACCEPT\nCOMMIT'
    const router = newRouter({ rules })
    expect(pass(router, 'r0', udp('10.0.1.2:1', '10.0.2.2:2'))).toEqual([
      'forward in r0 out r1',
      'filter FORWARD DROP',
      'drop NETFILTER_DROP policy of filter FORWARD',
    ])
    expect(send(router, udp('10.0.2.1:7', '10.0.2.2:8'))).toEqual([])
  })
})

describe('connection tracking is on', () => {
  const cases: readonly (readonly [string, RouterSetup, string | undefined])[] = [
    [
      'where a rule asks for the state',
      { rules: '*filter\n-A INPUT -j ACCEPT\n-A INPUT -m conntrack --ctstate NEW -j DROP\nCOMMIT' },
      'INPUT 2',
    ],
    ['in the older spelling', { rules: '*filter\n-A INPUT -m state --state NEW -j DROP\nCOMMIT' }, 'INPUT 1'],
    ['where a rule rewrites, in whatever chain', { rules: '*nat\n:X - [0:0]\n-A X -j MASQUERADE\nCOMMIT' }, 'X 1'],
    [
      'where a state is asked for in a way that is not modelled',
      { rules: '*filter\n-A INPUT -m conntrack --ctdir REPLY\nCOMMIT' },
      'INPUT 1',
    ],
    [
      'not where a comment says so',
      { rules: '*filter\n-A INPUT -m comment --comment "conntrack DNAT state" -j ACCEPT\nCOMMIT' },
      undefined,
    ],
    ['not for a nat table that only accepts', { rules: '*nat\n-A PREROUTING -j ACCEPT\nCOMMIT' }, undefined],
    ['not for the other family', { rules6: '*filter\n-A INPUT -m conntrack --ctstate NEW -j DROP\nCOMMIT' }, undefined],
  ]
  it.each(cases)('%s', (_, setup, where) => {
    const router = newRouter(setup)
    const tracker = router.ns.netfilter.iptables[4].tracker()
    expect(tracker === undefined ? undefined : `${tracker.chain.name} ${tracker.index}`).toBe(where)
    pass(router, 'r0', udp('10.0.1.2:1', '10.0.2.2:2'))
    expect(listConntrack(router.ns, 4)).toHaveLength(where === undefined ? 0 : 1)
  })
})
