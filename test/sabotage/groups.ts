import type { Group } from './change.ts'
import { COREDNS_CHANGES } from './coredns-changes.ts'
import { LINUX_CHANGES } from './linux-changes.ts'
import { RESOLVER_CHANGES } from './resolver-changes.ts'
import { SCTP_CHANGES } from './sctp-changes.ts'

/** All sabotage, by the part of the product. A new part is one more entry with its own judge. */
export const GROUPS: readonly Group[] = [
  {
    name: 'linux',
    command: ['npx', 'tsx', 'test/sabotage/replay-kernel.ts'],
    live: ['npx', 'tsx', 'test/kernel/main.ts', '--scenarios', '1000', '--seed', '{seed}', '--minutes', '3'],
    atLeast: 86,
    changes: LINUX_CHANGES,
  },
  {
    name: 'sctp',
    command: [
      'npx',
      'tsx',
      'test/sabotage/run-tests.ts',
      'linux/sctp.test.ts',
      'packet/sctp-chunk.test.ts',
      'test/sctp/replay.test.ts',
    ],
    atLeast: 31,
    changes: SCTP_CHANGES,
  },
  {
    name: 'resolvers',
    command: [
      'npx',
      'tsx',
      'test/sabotage/run-tests.ts',
      'dns/resolver',
      'dns/pod',
      'dns/node-local',
      'test/dns/resolvers.test.ts',
      'test/dns/glibc.test.ts',
      'test/dns/icmp-errors.test.ts',
      'test/judge/resolvers.test.ts',
    ],
    atLeast: 28,
    changes: RESOLVER_CHANGES,
  },
  {
    name: 'coredns',
    command: [
      'npx',
      'tsx',
      'test/sabotage/run-tests.ts',
      'dns/coredns',
      'dns/message.test.ts',
      'test/dns/go-languages.test.ts',
      'test/judge/coredns.test.ts',
    ],
    atLeast: 27,
    changes: COREDNS_CHANGES,
  },
]
