import { expect, it } from 'vitest'
import { corefileCorpus, loadMutatedCorefile, mutatedCorefile } from './dns-corefiles.ts'
import { askPacket, fuzzedServer, packetOf } from './dns-packets.ts'

const corpus = corefileCorpus()

it('no packet breaks CoreDNS, and what it sends is a reply (`tsx test/fuzz/dns-main.ts` tries 200,000)', () => {
  const server = fuzzedServer()
  for (let seed = 0; seed < 4000; seed++) askPacket(server, seed)
}, 60_000)

it('no Corefile breaks the reading of Corefiles (`tsx test/fuzz/dns-main.ts` tries 50,000)', () => {
  const outcomes = Array.from({ length: 1500 }, (_, seed) => loadMutatedCorefile(corpus, seed))
  // Both happen, or the damage is no test.
  expect(outcomes.filter((outcome) => outcome === 'starts').length).toBeGreaterThan(100)
  expect(outcomes.filter((outcome) => outcome === 'refused').length).toBeGreaterThan(500)
}, 60_000)

it('a seed always gives the same', () => {
  expect(packetOf(7)).toEqual(packetOf(7))
  expect(mutatedCorefile(corpus, 7)).toBe(mutatedCorefile(corpus, 7))
})
