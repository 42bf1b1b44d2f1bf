import { describe, expect, it } from 'vitest'
import { nameHash } from './name-hash.ts'

describe('nameHash', () => {
  // Names seen in the output of the real kube-proxy.
  it.each([
    ['ns1/svc1:p80tcp', 16, 'XPGD46QRK7WJZT7O'],
    ['ns1/svc1:p80tcp10.180.0.1:80', 16, 'SXIVWICOYRO3J4NJ'],
    ['ns5/svc5:p80tcp', 16, 'NUKIZ6OKUXPJNT4C'],
    ['default/kubernetes:httpstcp', 16, 'NPX46M4PTMTKRN6Y'],
    ['testing/service/tcp/http', 8, 'P4ZYZVCF'],
    ['ns1/svc1/tcp/p80__10.180.0.1/80', 8, '5OJB2KTY'],
  ])('%s in %i characters is %s', (text, length, hash) => {
    expect(nameHash(text, length)).toBe(hash)
  })
})
