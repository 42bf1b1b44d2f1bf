import { expect, it } from 'vitest'
import { nftOps } from '../testing/nft-ops.ts'
import { udp } from '../testing/packets.ts'
import { newRouter } from '../testing/router.ts'
import { pass } from '../testing/story.ts'

/** Packets of 32 octets at these seconds, and which of them the rule lets on to be counted. */
const counted = (rule: string, seconds: readonly number[]): string => {
  const ops = nftOps(`
    add table ip t
    add chain ip t f { type filter hook forward priority 0 ; }
    add rule ip t f ${rule} counter`)
  const router = newRouter({ ops })
  return seconds
    .map((second) => {
      router.now = second * 1e9
      return pass(router, 'r0', udp('10.0.1.2:1', '10.0.2.2:2')).includes('t f 1 continue') ? '+' : '-'
    })
    .join('')
}

it.each([
  // A bucket begins full, and gets one of its tokens back in each of the rate's shares of the time.
  ['limit rate 2/minute burst 3 packets', [0, 0, 0, 0, 29, 30, 30, 59, 60, 60], '+++--+--+-'],
  ['limit rate 1/second', [0, 0, 0, 0, 0, 0, 1, 1, 100, 100, 100, 100, 100, 100], '+++++-+-+++++-'],
  ['limit rate over 2/minute burst 1 packets', [0, 0, 30, 30], '-+-+'],
  // What is refused costs nothing, and what was saved up stays.
  ['limit rate 1/minute burst 1 packets', [0, 30, 59, 60, 119, 120], '+--+-+'],
  ['limit rate 32 bytes/minute burst 32 bytes', [0, 0, 0, 60, 60], '++-+-'],
  ['limit rate 32 bytes/minute', [0, 0, 60], '+-+'],
  ['limit rate over 32 bytes/second burst 31 bytes', [0, 0, 1], '-+-'],
  ['quota 64 bytes', [0, 0, 0, 100], '++--'],
  ['quota 95 bytes used 32 bytes', [0, 0, 0], '+--'],
  ['quota over 64 bytes', [0, 0, 0, 100], '--++'],
] as const)('%s', (rule, seconds, expected) => {
  expect(counted(rule, seconds)).toBe(expected)
})
