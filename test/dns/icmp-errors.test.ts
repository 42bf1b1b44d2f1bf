import { expect, it } from 'vitest'
import { lookupProgram } from '../../dns/resolver/program.ts'
import type { ResolverName } from '../../dns/resolver/registry.ts'
import type { DnsStep } from '../../dns/step.ts'
import { drain, newRouter } from '../../linux/netfilter/testing/router.ts'
import type { Program } from '../../linux/process.ts'
import { startProcess } from '../../linux/run-process.ts'

/** What a lookup is told at once where a rule refuses its queries with an ICMP error. */
function toldAtOnce(resolver: ResolverName, error: string): readonly string[] {
  const router = newRouter({
    rules: `*filter\n-A INPUT -p udp -m udp --dport 53 -j REJECT --reject-with ${error}`,
    ops: [
      { kind: 'file.write', path: '/etc/resolv.conf', text: 'nameserver 127.0.0.2\noptions attempts:1\n' },
      { kind: 'file.write', path: '/etc/hosts', text: '' },
    ],
  })
  const { start, step, ...rest } = lookupProgram(resolver)
  const notes: DnsStep[] = []
  const watched: Program = {
    ...rest,
    start: (context) => keep(start(context)),
    step: (...of: Parameters<typeof step>) => keep(step(...of)),
  }
  function keep<Result extends { readonly notes?: readonly unknown[] }>(result: Result): Result {
    notes.push(...((result.notes ?? []) as readonly DnsStep[]))
    return result
  }
  startProcess(router.ns, 'lookup', watched, { name: 'x.test', family: '4' })
  drain(router)
  const reasons = notes.flatMap((note) => (note.kind === 'dns.noReply' ? [note.reason] : []))
  return [...new Set(reasons)]
}

// As glibc 2.36, musl 1.2.5, Go 1.26 and dig 9.18 did behind such a rule; for older glibc as read in its source.
it.each<[ResolverName, string, readonly string[]]>([
  ['glibc', 'icmp-host-unreachable', ['EHOSTUNREACH']],
  ['glibc-2.26', 'icmp-host-unreachable', []],
  ['musl', 'icmp-host-unreachable', []],
  ['go', 'icmp-host-unreachable', []],
  ['dig', 'icmp-host-unreachable', []],
  ['glibc', 'icmp-port-unreachable', ['ECONNREFUSED']],
  ['glibc-2.26', 'icmp-port-unreachable', ['ECONNREFUSED']],
  ['musl', 'icmp-port-unreachable', []],
  ['go', 'icmp-port-unreachable', ['ECONNREFUSED']],
  ['dig', 'icmp-port-unreachable', ['ECONNREFUSED']],
])('%s behind %s', (resolver, error, told) => expect(toldAtOnce(resolver, error)).toEqual(told))
