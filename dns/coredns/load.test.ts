import { describe, expect, it } from 'vitest'
import { loadCorefile } from './load.ts'

const load = (text: string) =>
  loadCorefile(
    { name: 'Corefile', text, folder: '/etc/coredns', read: () => undefined, env: new Map() },
    { api: undefined, file: () => undefined, addresses: () => [], hostname: 'coredns' },
  )

describe('what stops CoreDNS from starting', () => {
  it.each([
    ['a, {\n}', "Corefile:1 - Error during parsing: Expected another address but had '{' - check for extra comma"],
    ['a,', 'Corefile:1 - Error during parsing: Unexpected EOF'],
    ['a {\n  cancel\n', "Corefile:2 - Syntax error: Unexpected token 'cancel', expecting '}'"],
    ['. {\n}\n.:53 {\n}', 'cannot serve dns://.:53 - it is already defined'],
    ['. dns://.:53 {\n}', 'cannot serve dns://.:53 - it is already defined'],
    ['. {\n}\n. {\n  loop x\n}', 'plugin/loop: '],
    ['. {\n}\n. {\n  view a {\n    expr true\n  }\n}', ''],
    ['. {\n  view a {\n    expr true\n  }\n}\n. {\n}', ''],
    ['.:53 tls://. .:54 {\n}', ''],
  ])('%j', (text, reason) => {
    const loaded = load(text)
    expect(loaded.ok ? '' : loaded.reason.slice(0, reason.length || undefined)).toBe(reason)
  })

  it('a plugin that is not emulated stands in the chain, unless it only configures the server', () => {
    const chainOf = (text: string) => {
      const loaded = load(text)
      return loaded.ok
        ? loaded.value.listeners[0]?.zones.get('.')?.[0]?.handlers.map(({ plugin }) => plugin)
        : undefined
    }
    expect(chainOf('. {\n  geoip /x\n  errors\n}')).toEqual(['geoip', 'errors'])
    expect(chainOf('. {\n  bind 10.0.0.1\n  root /x\n}')).toEqual([])
  })
})
