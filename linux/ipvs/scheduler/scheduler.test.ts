import { describe, expect, it } from 'vitest'
import { ip } from '../../../packet/ip.ts'
import { type DestinationState, newStats } from '../destination.ts'
import { hsiphash1u32 } from '../siphash.ts'
import { fillLookup, maglevTable } from './maglev.ts'
import { newScheduler, type SchedulerName } from './registry.ts'
import { hash32, type ScheduleRequest } from './scheduler.ts'

/** Destinations in the kernel's order; `A4` has weight 4. Their addresses are 10.0.0.1, 10.0.0.2 … */
function destinations(text: string): DestinationState[] {
  return text.split(' ').map((_, i) => {
    const weight = Number(text.split(' ')[i]?.slice(1))
    return {
      address: ip(`10.0.0.${i + 1}`),
      port: 80,
      forward: 'masquerade',
      upperThreshold: 0,
      lowerThreshold: 0,
      origin: { by: 'test' },
      stats: newStats(),
      weight,
      lastWeight: weight,
      active: 0,
      inactive: 0,
      persistent: 0,
      overloaded: false,
      available: true,
    }
  })
}

const letter = (list: readonly DestinationState[], one: DestinationState | undefined): string =>
  one === undefined ? '-' : String.fromCharCode(65 + list.indexOf(one))

const request = (given: Partial<ScheduleRequest> = {}): ScheduleRequest => ({
  source: ip('192.0.2.1'),
  sourcePort: 40_000,
  destination: ip('10.96.0.1'),
  now: 0,
  ...given,
})

/** Names of those chosen for `count` connections, each of which stays; `active`: it is established. */
function sequence(name: SchedulerName, list: DestinationState[], count: number, active = true): string {
  const scheduler = newScheduler(name, { destinations: list, flags: [] })
  let text = ''
  for (let i = 0; i < count; i++) {
    const chosen = scheduler.schedule(request())
    text += letter(list, chosen)
    if (chosen !== undefined) chosen[active ? 'active' : 'inactive']++
  }
  return text
}

describe('schedulers choose as the kernel does', () => {
  it.each<[SchedulerName, string, string]>([
    // The list is walked from its head, which is the destination added last.
    ['rr', 'A1 B1 C1', 'ABCABCA'],
    ['rr', 'A1 B0 C5', 'ACACACA'],
    ['rr', 'A0 B0', '--'],
    ['rr', 'A0', '-'],
    // linuxvirtualserver.org, "Job Scheduling Algorithms": weights 4, 3, 2 give AABABCABC.
    ['wrr', 'A4 B3 C2', 'AABABCABCAABABCABC'],
    ['wrr', 'A1 B1', 'ABABAB'],
    ['wrr', 'A0 B2', 'BBB'],
    ['wrr', 'A0 B0', '--'],
    ['wrr', 'A4 B2', 'AABAAB'],
    ['lc', 'A1 B9', 'ABABAB'],
    ['lc', 'A0 B1', 'BB'],
    ['wlc', 'A1 B2', 'ABBABB'],
    ['wlc', 'A2 B1', 'ABAABA'],
    ['wlc', 'A0 B3', 'BBB'],
    // (active + 1) / weight: a fast one gets several before a slow one gets its first.
    ['sed', 'A1 B3', 'BBABBB'],
    ['sed', 'A1 B2', 'BABBAB'],
    // An idle one first, however slow.
    ['nq', 'A1 B3', 'ABBBB'],
    ['nq', 'A0 B1', 'BB'],
    ['nq', 'A0', '-'],
  ])('%s of %s: %s', (name, list, expected) => {
    expect(sequence(name, destinations(list), expected.length)).toBe(expected)
  })

  it('counts an active connection as 256 inactive ones in lc and wlc', () => {
    for (const name of ['lc', 'wlc'] as const) {
      const list = destinations('A1 B1')
      if (list[0] !== undefined) list[0].active = 1
      expect(sequence(name, list, 258, false)).toBe(`${'B'.repeat(256)}AB`)
    }
  })

  it('leaves out who is overloaded', () => {
    for (const name of ['rr', 'wrr', 'lc', 'wlc', 'sed', 'nq', 'lblc', 'lblcr'] as const) {
      const list = destinations('A9 B1')
      if (list[0] !== undefined) list[0].overloaded = true
      expect(sequence(name, list, 2), name).toBe('BB')
    }
  })

  it('goes on behind a removed destination in rr', () => {
    const list = destinations('A1 B1 C1')
    const scheduler = newScheduler('rr', { destinations: list, flags: [] })
    const [first, second] = [scheduler.schedule(request()), scheduler.schedule(request())]
    if (second === undefined) throw new Error('none')
    scheduler.removing(second)
    list.splice(1, 1)
    scheduler.changed()
    expect([first, scheduler.schedule(request()), scheduler.schedule(request())].map((one) => one?.address.d)).toEqual(
      [1, 3, 1].map((n) => 0x0a000000 + n),
    )
  })

  it('begins a new round of wrr when a weight changes', () => {
    const list = destinations('A4 B2')
    const scheduler = newScheduler('wrr', { destinations: list, flags: [] })
    const take = () => letter(list, scheduler.schedule(request()))
    expect([take(), take()]).toEqual(['A', 'A'])
    if (list[0] !== undefined) list[0].weight = 1
    scheduler.changed()
    expect([1, 2, 3, 4, 5, 6].map(take).join('')).toBe('ABBABB')
  })
})

describe('hashing', () => {
  it('multiplies with the golden ratio 0x61c88647 (hash_32)', () => {
    expect(hash32(1, 8)).toBe(0x61)
    expect(hash32(2, 8)).toBe(0xc3)
    expect(hash32(0xffffffff, 8)).toBe(0x9e)
  })

  it('sh: fills buckets by weight and finds the client by its address', () => {
    const list = destinations('A1 B3')
    const scheduler = newScheduler('sh', { destinations: list, flags: [] })
    const bucketOf = (address: string) => hash32(ip(address).d, 8)
    for (let i = 1; i < 60; i++) {
      const expected = bucketOf(`192.0.2.${i}`) % 4 === 0 ? 'A' : 'B'
      expect(letter(list, scheduler.schedule(request({ source: ip(`192.0.2.${i}`) })))).toBe(expected)
    }
  })

  it('sh: the port counts with sh-port only', () => {
    const list = destinations('A1 B1 C1 D1 E1')
    const chosen = (flags: readonly string[]) => {
      const scheduler = newScheduler('sh', { destinations: list, flags })
      return new Set([1, 2, 3, 4, 5, 6, 7].map((port) => scheduler.schedule(request({ sourcePort: port })))).size
    }
    expect(chosen([])).toBe(1)
    expect(chosen(['sh-port'])).toBeGreaterThan(2)
  })

  it.each(['sh', 'mh'] as const)('%s: refuses who falls on weight 0, unless it may fall back', (name) => {
    const list = destinations('A1 B1')
    const clients = [...Array(40)].map((_, i) => ip(`192.0.2.${i + 1}`))
    const run = (flags: readonly string[]) => {
      const scheduler = newScheduler(name, { destinations: list, flags })
      return clients.map((source) => letter(list, scheduler.schedule(request({ source })))).join('')
    }
    const before = run([])
    expect(before).toMatch(/A.*B|B.*A/)
    if (list[0] !== undefined) list[0].weight = 0
    expect(run([]).replaceAll('-', 'A')).toBe(name === 'mh' ? before : run([]).replaceAll('-', 'A'))
    expect(run([])).toContain('-')
    expect(run([`${name}-fallback`])).toBe('B'.repeat(40))
  })

  it('dh: by the address asked for, weights do not count', () => {
    const list = destinations('A9 B1')
    const scheduler = newScheduler('dh', { destinations: list, flags: [] })
    for (let i = 1; i < 40; i++) {
      const destination = ip(`10.96.0.${i}`)
      expect(letter(list, scheduler.schedule(request({ destination })))).toBe(
        hash32(destination.d, 8) % 2 === 0 ? 'A' : 'B',
      )
    }
  })

  it('folds the four words of IPv6 addresses', () => {
    const list = destinations('A1 B1 C1')
    for (const name of ['sh', 'mh'] as const) {
      const scheduler = newScheduler(name, { destinations: list, flags: [] })
      const folded = scheduler.schedule(request({ source: ip('192.0.2.1') }))
      expect(scheduler.schedule(request({ source: ip('::192.0.2.1') }))).toBe(folded)
      expect(scheduler.schedule(request({ source: ip('192.0.2.1') }))).toBe(folded)
    }
  })
})

describe('mh is Maglev hashing', () => {
  it('SipHash-1-3 as the self test of the kernel has it (lib/test_siphash.c, 4 octets 00 01 02 03)', () => {
    expect(hsiphash1u32(0x03020100, [0x0706050403020100n, 0x0f0e0d0c0b0a0908n])).toBe(0x88d38328)
  })

  // Eisenbud et al., NSDI 2016, table 1: B0 (3, 4), B1 (0, 2), B2 (3, 1) in a table of 7, and without B1.
  const B0 = { entry: 'B0', offset: 3, skip: 4, turns: 1 }
  const B1 = { entry: 'B1', offset: 0, skip: 2, turns: 1 }
  const B2 = { entry: 'B2', offset: 3, skip: 1, turns: 1 }
  it('fills the table of the paper', () => {
    expect(fillLookup(7, [B0, B1, B2])).toEqual(['B1', 'B0', 'B1', 'B0', 'B2', 'B2', 'B0'])
    expect(fillLookup(7, [B0, B2])).toEqual(['B0', 'B0', 'B0', 'B0', 'B2', 'B2', 'B2'])
  })

  it('gives turns by weight', () => {
    const table = maglevTable(destinations('A1 B3'))
    expect(table).toHaveLength(4093)
    const share = table.filter((one) => one.weight === 3).length / table.length
    expect(share).toBeCloseTo(0.75, 2)
  })

  it('has no table while nobody has a weight', () => {
    expect(maglevTable(destinations('A0 B0'))).toEqual([])
    expect(sequence('mh', destinations('A0'), 1)).toBe('-')
  })

  it('moves few clients when one is added', () => {
    const before = maglevTable(destinations('A1 B1 C1 D1'))
    const after = maglevTable(destinations('A1 B1 C1 D1 E1'))
    const moved = before.filter((one, i) => one.address.d !== after[i]?.address.d && after[i]?.address.d !== 0x0a000005)
    expect(moved.length / before.length).toBeLessThan(0.1)
  })

  it('counts the port with mh-port only', () => {
    const list = destinations('A1 B1 C1')
    const chosen = (flags: readonly string[]) => {
      const scheduler = newScheduler('mh', { destinations: list, flags })
      return new Set([1, 2, 3, 4, 5, 6, 7].map((port) => scheduler.schedule(request({ sourcePort: port })))).size
    }
    expect(chosen([])).toBe(1)
    expect(chosen(['mh-port'])).toBeGreaterThan(1)
  })
})

describe('lblc and lblcr', () => {
  const DAY = 24 * 60 * 60 * 1e9
  it('lblc keeps an address where it was until that one is crowded', () => {
    const list = destinations('A1 B5')
    const scheduler = newScheduler('lblc', { destinations: list, flags: [] })
    const take = (address = '10.96.0.1') => letter(list, scheduler.schedule(request({ destination: ip(address) })))
    expect([take(), take()]).toEqual(['A', 'A'])
    const [a] = list
    if (a === undefined) throw new Error('none')
    a.active = 1
    expect(take()).toBe('A')
    a.active = 2
    expect(take()).toBe('B')
    a.active = 0
    expect([take(), take('10.96.0.2')]).toEqual(['B', 'A'])
  })

  it('lblc does not ask one that is gone, nor one of weight 0, nor remember for ever', () => {
    const list = destinations('A1 B1')
    const scheduler = newScheduler('lblc', { destinations: list, flags: [] })
    const take = (now = 0) => letter(list, scheduler.schedule(request({ now })))
    const [a] = list
    if (a === undefined) throw new Error('none')
    expect(take()).toBe('A')
    a.available = false
    a.weight = 0
    expect(take()).toBe('B')
    a.available = true
    a.weight = 1
    expect(take(DAY - 1)).toBe('B')
    expect(take(2 * DAY)).toBe('A')
  })

  it('lblcr adds one to the set when all in it are crowded, and takes the busiest out after a day', () => {
    const list = destinations('A1 B5')
    const scheduler = newScheduler('lblcr', { destinations: list, flags: [] })
    const take = (now = 0) => letter(list, scheduler.schedule(request({ now })))
    const [a] = list
    if (a === undefined) throw new Error('none')
    expect(take()).toBe('A')
    a.active = 2
    expect(take()).toBe('B')
    a.active = 0
    // Both serve it now: the least loaded of the set.
    expect(take(1e9)).toBe('B')
    const b = list[1]
    if (b === undefined) throw new Error('none')
    b.active = 3
    expect(take(2e9)).toBe('A')
    // Kept in use, the set outlives its change by more than a day, and loses B, the busiest for its weight.
    take(DAY / 2)
    take(DAY + 1e9)
    b.active = 0
    a.active = 1
    expect(take(DAY + 2e9)).toBe('A')
  })
})
