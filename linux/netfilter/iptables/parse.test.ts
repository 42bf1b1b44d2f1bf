import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Family, ipv4, ipv6 } from '../../../packet/ip.ts'
import { must } from '../../../packet/parsed.ts'
import { networkOf } from '../../../packet/prefix.ts'
import { parseRule, readRule } from './parse.ts'
import { printRule } from './print.ts'
import { type Match, REJECT_WITH, type RuleSpec, type Target } from './rule.ts'
import { IPVS_TEXTS, NFACCT_TEXT, RULE_TEXTS, SET_TEXTS } from './rule-texts.ts'

const print = (family: Family, args: string) => printRule(family, must(parseRule(family, args)))

describe('a rule prints as iptables-save prints it', () => {
  it.each([...RULE_TEXTS, ...SET_TEXTS, NFACCT_TEXT, ...IPVS_TEXTS])('IPv$family $args', ({ family, args, saved }) => {
    expect(print(family, args)).toBe(saved)
  })

  it.each([...RULE_TEXTS, ...SET_TEXTS, NFACCT_TEXT, ...IPVS_TEXTS])(
    'and reads its own text: IPv$family $saved',
    ({ family, saved }) => {
      expect(print(family, saved)).toBe(saved)
    },
  )
})

describe('what iptables refuses is refused, with the option named', () => {
  it.each([
    [4, '-s 10.0.0.1,10.0.0.2', '-s: "10.0.0.1,10.0.0.2" is a list'],
    [4, '-s 10.0.0.0/33', '-s: '],
    [4, '-s 10.0.0.1/', '-s: '],
    [4, '-s 10.0.0.300', '-s: '],
    [4, '-s 010.0.0.1', 'leading zero'],
    [4, '-s', '-s needs an argument'],
    [4, '-s 10.0.0.1 -s 10.0.0.2', '-s is given twice'],
    [4, '-s ! 10.0.0.1', '"10.0.0.1" is not an option'],
    [4, '! -s 0.0.0.0/0', 'never matches'],
    [4, '-s fd00::1', 'IPv6 in a rule of IPv4'],
    [6, '-s 10.0.0.1', 'IPv4 in a rule of IPv6'],
    [4, '-s 10.0.0.0/255.0.255.0', 'holes'],
    [4, '-p nosuch', '-p: "nosuch"'],
    [4, '! -p all', 'never matches'],
    [4, '-p 256', '-p: "256"'],
    [4, '-i abcdefghijklmnop', '-i: '],
    [4, '-i ""', '-i: '],
    [4, '-6 -j ACCEPT', '-6 in a rule of IPv4'],
    [6, '-f -j ACCEPT', '-f in a rule of IPv6'],
    [4, '-f ! -f', '-f is given twice'],
    [4, 'ACCEPT', '"ACCEPT" is not an option'],
    [4, '! ! -s 10.0.0.1', 'two "!"'],
    [4, '!', 'nothing stands after'],
    [4, '! -j ACCEPT', '"!" may not stand before -j'],
    [4, '-j ACCEPT -j DROP', 'a second target'],
    [4, '-j ACCEPT extra', '"extra" is not an option'],
    [4, '-j', '-j needs an argument'],
    [4, '-m', '-m needs an argument'],
    [4, '-j LONGCHAINNAME0123456789012345678', 'is not a chain name'],
    [4, '-j X --foo', 'unknown option "--foo"'],
    [4, '--dport 80', 'unknown option "--dport"'],
    [4, '-j RETURN --random', 'unknown option "--random"'],
    [4, '-m comment', '--comment must be given'],
    [4, '-m comment --comment "open', 'not closed'],
    [4, '-m comment ! --comment x', '"!" may not stand before --comment'],
    [4, '-m comment --comment a --comment b', '--comment is given twice'],
    [4, `-m comment --comment ${'x'.repeat(256)}`, '256 characters'],
    [4, '-m addrtype', 'must be given'],
    [4, '-m addrtype --dst-type BOGUS', '"BOGUS"'],
    [4, '-m addrtype --dst-type LOCAL --limit-iface-in --limit-iface-out', 'exclude each other'],
    [4, '-m mark', '--mark must be given'],
    [4, '-m mark --mark 0x100000000', '--mark: '],
    [4, '-m conntrack', '--ctstate must be given'],
    [4, '-m conntrack --ctstate BOGUS', '"BOGUS"'],
    [4, '-m state --state DNAT', '"DNAT"'],
    [4, '-m statistic --mode random', '--probability'],
    [4, '-m statistic --mode random --probability 1.5', '--probability: "1.5"'],
    [4, '-m statistic --mode nth --every 3', '--packet'],
    [4, '-m statistic --mode nth --every 3 --packet 3', '--packet: 3'],
    [4, '-m statistic --mode nth --every 0 --packet 0', '--every: 0'],
    [4, '-m statistic --mode often', '"often"'],
    [4, '-m recent --name A', 'must be given'],
    [4, '-m recent --rcheck --update', 'must be given'],
    [4, '-m recent --rcheck --reap --name A', '--reap needs --seconds'],
    [4, '-m recent --set --seconds 5', '--set takes no'],
    [4, '-m recent --set --mask ffff::', 'other family'],
    [4, '-m tcp --dport 80', '-m tcp: needs -p tcp'],
    [4, '! -p tcp --dport 80', '-m tcp: needs -p tcp'],
    [4, '-p udp -m tcp --dport 80', '-m tcp: needs -p tcp'],
    [4, '-p tcp --dport 65536', '--dport: "65536"'],
    [4, '-p tcp --dport http', '--dport: "http"'],
    [4, '-p tcp --dport 10:5', 'ends before it begins'],
    [4, '-p tcp --dport 1 --destination-port 2', 'given twice'],
    [4, '-p tcp --tcp-flags SYN', '--tcp-flags needs 2 arguments'],
    [4, '-p tcp --tcp-flags SYN,BAD SYN', '"BAD"'],
    [4, '-p icmp -m icmp', '--icmp-type must be given'],
    [4, '-p icmp --icmp-type 300', '--icmp-type: "300"'],
    [4, '-m icmp --icmp-type 8', '-m icmp: needs -p icmp'],
    [4, '-m multiport --dports 80', '-m multiport: needs -p'],
    [4, '-p tcp -m multiport --dports 80 --sports 80', 'must be given'],
    [4, '-p tcp -m multiport --dports 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16', 'more than 15'],
    [4, '-p tcp -m multiport --dports 80,90:80', 'ends before it begins'],
    [4, '-j MARK', 'must be given'],
    [4, '-j MARK --set-mark 1 --or-mark 2', 'must be given'],
    [4, '-j MARK --or-mark 1/2', '--or-mark: '],
    [4, '-j DNAT', '--to-destination must be given'],
    [4, '-j DNAT --to-destination 10.0.0.1:80', 'needs -p'],
    [4, '-p tcp -j DNAT --to-destination 10.0.0.1:90-80', 'ends before it begins'],
    [4, '-p tcp -j DNAT --to-destination fd00::1', '--to-destination: '],
    [6, '-p tcp -j DNAT --to-destination 10.0.0.1', 'other family'],
    [4, '-j MASQUERADE --to-ports 1000', 'needs -p'],
    [4, '-j REJECT --reject-with icmp6-no-route', '--reject-with: '],
    [6, '-j REJECT --reject-with icmp-port-unreachable', '--reject-with: '],
    [4, '-j REJECT --reject-with tcp-reset', 'needs -p tcp'],
    [4, '-j CT', '--notrack must be given'],
    [4, '-m recent --rcheck --seconds x', '--seconds: "x"'],
    [4, '-m recent --rcheck --hitcount 256', '--hitcount: "256"'],
    [4, '-m statistic --mode nth --every 3 --packet x', '--packet: "x"'],
    [4, '-p tcp --sport x', '--sport: "x"'],
    [4, '-m mark --mark /1', '--mark: '],
    [4, '-m set', '--match-set must be given'],
    [4, '-m set --match-set a', '--match-set needs 2 arguments'],
    [4, '-m set --match-set a from', '"from"'],
    [4, '-m set --match-set a src,src,dst,dst', 'is not a list'],
  ] as const)('IPv%s %s', (family, args, reason) => {
    const rule = parseRule(family, args)
    expect(rule.ok).toBe(false)
    if (!rule.ok) {
      expect(rule.reason).toContain(reason)
      expect(rule.reason).not.toContain('not modelled: -')
    }
  })
})

describe('what iptables has and we do not is refused as not modelled, in its own words', () => {
  it.each([
    ['-m owner --uid-owner 0 -j ACCEPT', '-m owner --uid-owner 0'],
    ['-m owner ! --uid-owner 0 -p tcp --dport 80', '-m owner ! --uid-owner 0'],
    ['-p tcp -m helper --helper ftp --dport 80 -j X', '-m helper --helper ftp'],
    ['-m set --match-set cali40s:x src --return-nomatch -j X', '-m set --match-set cali40s:x src --return-nomatch'],
    ['-m conntrack --ctstate NEW --ctorigdst 10.0.0.1', '-m conntrack --ctstate NEW --ctorigdst 10.0.0.1'],
    ['-j LOG --log-prefix "x y"', '-j LOG --log-prefix "x y"'],
    ['-p tcp -j TPROXY --on-port 15001 --tproxy-mark 0x1/0x1', '-j TPROXY --on-port 15001 --tproxy-mark 0x1/0x1'],
    ['-p tcp -j DNAT --to-destination 10.0.0.1:80-90/100', '-j DNAT --to-destination 10.0.0.1:80-90/100'],
    ['-p tcp --tcp-option 2', '-m tcp --tcp-option 2'],
    ['-j CT --zone 5', '-j CT --zone 5'],
  ])('%s', (args, text) => {
    expect(parseRule(4, args)).toEqual({ ok: false, reason: `not modelled: ${text}` })
  })

  it('but the rest of such a rule is read', () => {
    const rule = must(readRule(4, '-s 10.0.0.0/8 -p tcp -m owner --uid-owner 0 --dport 80 -j LOG'))
    expect(rule.source?.prefix.length).toBe(8)
    expect(rule.matches.map((match) => match.kind)).toEqual(['notModelled', 'tcp'])
    expect(rule.target).toEqual({ kind: 'notModelled', text: '-j LOG' })
  })
})

const name = fc.stringMatching(/^[A-Za-z][A-Za-z0-9_.:-]{0,13}$/)
const word = fc.nat(0xffffffff)
const port = fc.nat(65535)
const range = fc.tuple(port, port).map(([x, y]) => ({ min: Math.min(x, y), max: Math.max(x, y) }))
const ipOf = (family: Family) =>
  family === 4 ? word.map(ipv4) : fc.tuple(word, word, word, word).map(([a, b, c, d]) => ipv6(a, b, c, d))
const orNot = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined })

function anyMatch(family: Family): fc.Arbitrary<Match> {
  const not = fc.boolean()
  return fc.oneof(
    fc.record({
      kind: fc.constant('comment' as const),
      text: fc.string({ maxLength: 40 }).map((s) => s.replaceAll('\n', ' ')),
    }),
    fc.record({ kind: fc.constant('mark' as const), not, value: word, mask: word }),
    fc.record({
      kind: fc.constant('state' as const),
      spelling: fc.constant('conntrack' as const),
      not,
      states: fc.integer({ min: 1, max: 127 }),
    }),
    fc.record({
      kind: fc.constant('statistic' as const),
      mode: fc.constant('random' as const),
      not,
      threshold: fc.nat(0x80000000),
    }),
    fc.record({
      kind: fc.constant('addrtype' as const),
      source: orNot(fc.record({ not, types: fc.integer({ min: 1, max: 0xfff }) })),
      destination: fc.record({ not, types: fc.integer({ min: 1, max: 0xfff }) }),
      limit: fc.constantFrom('in' as const, 'out' as const, undefined),
    }),
    fc.record({
      kind: fc.constant('recent' as const),
      action: fc.constantFrom('rcheck' as const, 'update' as const),
      not,
      name,
      side: fc.constantFrom('source' as const, 'destination' as const),
      mask: ipOf(family),
      seconds: fc.integer({ min: 1, max: 100000 }),
      hitcount: fc.nat(255),
      reap: fc.boolean(),
      rttl: fc.boolean(),
    }),
    fc.record({ kind: fc.constant('nfacct' as const), name }),
    fc.record({
      kind: fc.constant('multiport' as const),
      which: fc.constantFrom('source' as const, 'destination' as const, 'either' as const),
      not,
      ports: fc.array(range, { minLength: 1, maxLength: 7 }),
    }),
    fc.record({
      kind: fc.constant('tcp' as const),
      source: orNot(fc.record({ not: fc.constant(true), min: fc.constant(7), max: port.map((p) => Math.max(p, 7)) })),
      destination: orNot(fc.record({ not, min: fc.constant(1), max: port.map((p) => Math.max(p, 1)) })),
      flags: orNot(fc.record({ not, mask: fc.integer({ min: 1, max: 63 }), set: fc.nat(63) })),
    }),
  )
}

function anyTarget(family: Family): fc.Arbitrary<Target | undefined> {
  const flags = { random: fc.boolean(), randomFully: fc.boolean() }
  const addresses = fc.record({ min: ipOf(family), max: ipOf(family) })
  return fc.oneof(
    fc.constant(undefined),
    fc.record({ kind: fc.constantFrom('accept' as const, 'drop' as const, 'return' as const) }),
    fc.record({ kind: fc.constantFrom('jump' as const, 'goto' as const), chain: name.map((n) => `x${n}`) }),
    fc.record({ kind: fc.constant('mark' as const), value: word, mask: word }),
    fc.record({
      kind: fc.constant('snat' as const),
      range: fc.record({ addresses, ports: orNot(range), ...flags, persistent: fc.boolean() }),
    }),
    fc.record({
      kind: fc.constant('dnat' as const),
      range: fc.record({
        addresses,
        ports: orNot(range),
        random: fc.boolean(),
        randomFully: fc.constant(false),
        persistent: fc.boolean(),
      }),
    }),
    fc.record({
      kind: fc.constant('masquerade' as const),
      range: fc.record({
        addresses: fc.constant(undefined),
        ports: orNot(range),
        ...flags,
        persistent: fc.constant(false),
      }),
    }),
    fc.record({ kind: fc.constant('reject' as const), with: fc.constantFrom(...REJECT_WITH[family]) }),
  )
}

function anyRule(family: Family): fc.Arbitrary<RuleSpec> {
  const not = fc.boolean()
  const bits = fc.integer({ min: 1, max: family === 4 ? 32 : 128 })
  const address = fc.record({ not, prefix: fc.tuple(ipOf(family), bits).map(([ip, length]) => networkOf(ip, length)) })
  return fc.record({
    family: fc.constant(family),
    source: orNot(address),
    destination: orNot(address),
    in: orNot(fc.record({ not, name })),
    out: orNot(fc.record({ not, name: name.map((n) => `${n}+`) })),
    protocol: fc.constant({ not: false, number: 6 }),
    fragments: family === 4 ? orNot(fc.record({ not })) : fc.constant(undefined),
    matches: fc.array(anyMatch(family), { maxLength: 4 }),
    target: anyTarget(family),
  })
}

describe('parse and print are each other’s inverse', () => {
  it.each([4, 6] as const)('for any rule of IPv%s', (family) => {
    fc.assert(
      fc.property(anyRule(family), (rule) => {
        const text = printRule(family, rule)
        const again = must(parseRule(family, text))
        expect(printRule(family, again)).toBe(text)
        // The printed probability has fewer digits than the threshold.
        const exact = (spec: RuleSpec) => ({ ...spec, matches: spec.matches.filter((m) => m.kind !== 'statistic') })
        expect(exact(again)).toEqual(exact(rule))
      }),
      { numRuns: 500, seed: 1 },
    )
  })

  it('any text is read or refused, never thrown at', () => {
    const piece = fc.oneof(
      fc.string(),
      fc.constantFrom('-s', '-d', '-p', 'tcp', '-m', '-j', '!', '--dport', 'DNAT', '--to-destination', '::', '"', '-g'),
      fc.constantFrom('recent', 'statistic', '--mode', 'conntrack', '--ctstate', 'toString', '__proto__', '--mark'),
    )
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        expect(typeof parseRule(4, pieces.join(' ')).ok).toBe('boolean')
        expect(typeof parseRule(6, pieces.join(' ')).ok).toBe('boolean')
      }),
      { numRuns: 2000, seed: 1 },
    )
  })
})

const casesDirectory = join(process.env.PODWALK_CASES ?? '../shared/cases', 'kube-proxy/real')
const cases = existsSync(casesDirectory) ? readdirSync(casesDirectory).filter((f) => f.endsWith('iptables.json')) : []
if (cases.length === 0) console.warn(`skipped: no recorded rulesets in ${casesDirectory}`)

describe('recorded rulesets of kube-proxy', () => {
  it.skipIf(cases.length === 0 && process.env.CI === undefined)('have been found', () => {
    expect(cases.length).toBeGreaterThan(60)
  })

  it.each(cases)('%s', (file) => {
    const { expected } = JSON.parse(readFileSync(join(casesDirectory, file), 'utf8')) as {
      expected: Record<string, string>
    }
    let compared = 0
    for (const family of [4, 6] as const) {
      const tool = family === 4 ? 'iptables' : 'ip6tables'
      const given = ruleLines(expected[`${tool}-restore`] ?? '')
      const saved = ruleLines(expected[`${tool}-save`] ?? '')
      for (const line of [...saved, ...given])
        if (!parseRule(family, line.args).ok) expect(`${line.chain} ${line.args}`).toBe('a rule that can be read')
      for (const line of saved) expect(print(family, line.args)).toBe(line.args)
      const printed = given.map(({ chain, args }) => `${chain} ${print(family, args)}`)
      compared += printed.length
      if (expected[`${tool}-save`] === undefined) continue
      // The jumps from the built-in chains are not part of the restore input.
      const own = saved.filter(({ chain }) => !/^(PREROUTING|INPUT|FORWARD|OUTPUT|POSTROUTING)$/.test(chain))
      expect(printed.toSorted()).toEqual(own.map(({ chain, args }) => `${chain} ${args}`).toSorted())
    }
    expect(compared).toBeGreaterThanOrEqual(8)
  })
})

function ruleLines(text: string): { chain: string; args: string }[] {
  return text.split('\n').flatMap((line) => {
    const found = /^-A (\S+) ?(.*)$/.exec(line)
    return found === null ? [] : [{ chain: found[1] ?? '', args: found[2] ?? '' }]
  })
}

const canUnshare = spawnSync('unshare', ['-n', 'iptables-restore', '--version'], { encoding: 'utf8' })
const kernelReady = canUnshare.status === 0 && canUnshare.stdout.includes('v1.8.9')
if (!kernelReady) console.warn('skipped: unshare -n with iptables 1.8.9 is not possible here')

describe('the real iptables', () => {
  it.skipIf(!kernelReady).each([4, 6] as const)('of IPv%s prints each rule so, and takes it back', (family) => {
    const tool = family === 4 ? 'iptables' : 'ip6tables'
    const texts = [...RULE_TEXTS, ...SET_TEXTS].filter((text) => text.family === family)
    const restore = (['raw', 'mangle', 'nat', 'filter'] as const)
      .map((table) => {
        const own = texts.filter((text) => text.table === table)
        const chains = own.map((_, i) => `:C${String(i).padStart(3, '0')} - [0:0]`)
        const rules = own.map((text, i) => `-A C${String(i).padStart(3, '0')} ${text.args}`)
        return [`*${table}`, ':X - [0:0]', ...chains, ...rules, 'COMMIT', ''].join('\n')
      })
      .join('')
    const script = `ipset create a hash:net; ipset create b hash:net; ${tool}-restore && ${tool}-save > "$0" && ${tool}-restore < "$0" && ${tool}-save`
    const saved = execFileSync('unshare', ['-n', 'sh', '-c', script, `/tmp/podwalk-rules-${process.pid}`], {
      input: restore,
      encoding: 'utf8',
    })
    const tables = new Map(saved.split('\n*').map((part) => [/^\*?(\w+)/.exec(part)?.[1] ?? '', ruleLines(part)]))
    for (const table of ['raw', 'mangle', 'nat', 'filter'] as const) {
      const own = texts.filter((text) => text.table === table)
      const printed = (tables.get(table) ?? []).filter(({ chain }) => chain.startsWith('C'))
      if (own.length > 0) expect(printed.map(({ args }) => args)).toEqual(own.map((text) => text.saved))
    }
  })
})
