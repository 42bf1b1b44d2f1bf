import type { Change } from './change.ts'

const change = (file: string, name: string, find: string, replace: string, breaks: string): Change => ({
  name,
  file: `dns/${file}`,
  find,
  replace,
  breaks,
})

/** Ways to get the resolvers, and the files of a pod that they read, wrong, each in one line. */
export const RESOLVER_CHANGES: readonly Change[] = [
  // glibc
  change(
    'resolver/glibc/search.ts',
    'glibc-ndots-off-by-one',
    'if (dots >= ndots || trailing) {',
    'if (dots > ndots || trailing) {',
    'a name with as many dots as ndots goes through the list first',
  ),
  change(
    'resolver/glibc/search.ts',
    'glibc-refused-goes-on',
    "else if (answer.error !== 'HOST_NOT_FOUND') {",
    "else if (answer.error === 'NO_RECOVERY') {",
    'REFUSED does not end the search list',
  ),
  change(
    'resolver/glibc/send.ts',
    'glibc-servers-wait-alike',
    'const seconds = state.conf.timeout * 2 ** place',
    'const seconds = state.conf.timeout',
    'the second server is given no more time than the first',
  ),
  change(
    'resolver/glibc/send.ts',
    'glibc-old-rotate-waits-as-new',
    'const place = state.glibc < RANDOM_ROTATION ? shift : index',
    'const place = index',
    'with rotate glibc 2.17 gives the server it asks first the time of the second',
  ),
  change(
    'resolver/glibc/send.ts',
    'glibc-fatal-errors-only',
    'const FULL_ICMP_ERRORS = 30',
    'const FULL_ICMP_ERRORS = 99',
    'glibc waits out its time for a server that is told to be unreachable',
  ),
  change(
    'resolver/glibc/send.ts',
    'glibc-tc-ignored',
    'if (message.flags.truncated) {',
    'if (message.flags.truncated && queries.length === 1) {',
    'a cut reply to one of two queries is taken as it is',
  ),
  change(
    'resolver/glibc/send.ts',
    'glibc-no-reopen',
    'else if (!state.singleRequestReopen) {',
    'else if (false as boolean) {',
    'a reply that is lost twice is not asked for from a new socket',
  ),
  change(
    'resolver/address-order.ts',
    'order-ignores-routes',
    'if (usable !== 0) return usable',
    '',
    'addresses without a route are not put last',
  ),
  // musl
  change(
    'resolver/musl/send.ts',
    'musl-takes-refused',
    'if (rcode !== RCODE.NOERROR && rcode !== RCODE.NXDOMAIN) return\n',
    'if (rcode === RCODE.SERVFAIL) return\n',
    'REFUSED is taken as an answer',
  ),
  change(
    'resolver/musl/send.ts',
    'musl-servfail-not-repeated',
    'sending.retries = 2 * sending.queries.length',
    'sending.retries = sending.queries.length',
    'SERVFAIL is asked again half as often',
  ),
  change(
    'resolver/musl/send.ts',
    'musl-one-server-at-a-time',
    'for (const server of sending.conf.servers) sendTo(sending, i, server)',
    'for (const server of sending.conf.servers.slice(0, 1)) sendTo(sending, i, server)',
    'only the first server is asked',
  ),
  change(
    'resolver/musl/resolv-conf.ts',
    'musl-long-lines',
    'const MAX_LINE = 254',
    'const MAX_LINE = 2540',
    'a search line over 254 octets is read',
  ),
  change(
    'resolver/musl/getaddrinfo.ts',
    'musl-searches-dotted-names',
    'const listed = dots < conf.ndots && !trailing',
    'const listed = !trailing',
    'names with dots enough go through the list',
  ),
  change(
    'resolver/musl/version.ts',
    'musl-tcp-since-ever',
    'tcp: muslVersion(1, 2, 4),',
    'tcp: muslVersion(1, 2, 3),',
    '1.2.3 asks over TCP',
  ),
  // Go
  change(
    'resolver/go/lookup.ts',
    'go-servfail-ends',
    "if (last.error === 'EAI_NONAME') return last",
    'if (last.error) return last',
    'SERVFAIL ends the tries for a name',
  ),
  change(
    'resolver/go/domain-name.ts',
    'go-never-as-is-first',
    'return dots >= conf.ndots ? [...asIs, ...listed] : [...listed, ...asIs]',
    'return [...listed, ...asIs]',
    'the name as it is always comes last',
  ),
  change(
    'resolver/go/lookup.ts',
    'go-no-edns',
    'edns: { size: EDNS_SIZE, version: 0, dnssecOk: false, options: [] },',
    '',
    'queries have no EDNS',
  ),
  // c-ares and Node
  change(
    'resolver/c-ares/channel.ts',
    'c-ares-timeout-not-doubled',
    'const full = timeout * 2 ** rounds',
    'const full = timeout',
    'every round takes as long as the first',
  ),
  change(
    'resolver/node/resolve.ts',
    'node-checks-rcodes',
    'takesErrors: true',
    'takesErrors: false',
    'SERVFAIL makes Node ask again',
  ),
  // BIND's tools
  change(
    'resolver/bind/dighost.ts',
    'bind-nodata-goes-on',
    'if (reply.rcode === RCODE.NXDOMAIN && searching) {',
    'if ((reply.rcode === RCODE.NXDOMAIN || reply.answers.length === 0) && searching) {',
    'no data does not end the search',
  ),
  change(
    'resolver/bind/dighost.ts',
    'bind-recursion-unchecked',
    "return checksRa && !flags.recursionAvailable ? 'recursion not available' : undefined",
    'return undefined',
    'a reply without RA is good enough for host and nslookup',
  ),
  change(
    'resolver/bind/host.ts',
    'host-without-mx',
    "for (const type of ['AAAA', 'MX'])",
    "for (const type of ['AAAA'])",
    'host does not ask for MX',
  ),
  change(
    'resolver/bind/nslookup.ts',
    'nslookup-silent-about-no-answer',
    "(lookup.type === 'AAAA' && kept.get('noAddress'))",
    "(lookup.type === 'MX' && kept.get('noAddress'))",
    'nslookup does not say that there is no answer',
  ),
  // busybox and Java
  change(
    'resolver/busybox/nslookup.ts',
    'busybox-searches-dotted-names',
    "if (type === 'PTR' || search.length === 0 || name.includes('.')) return [name]",
    "if (type === 'PTR' || search.length === 0) return [name]",
    'a name with a dot goes through the search domains',
  ),
  change(
    'resolver/java/inet-address.ts',
    'java-keeps-failures-long',
    'const KEPT_FAILURE = 10 * SECOND',
    'const KEPT_FAILURE = 30 * SECOND',
    'what was not found is kept as long as what was',
  ),
  // the files of a pod
  change(
    'pod/resolv-conf.ts',
    'pod-keeps-node-options',
    'options: CLUSTER_OPTIONS,',
    'options: [...CLUSTER_OPTIONS, ...(host?.options ?? [])],',
    "the node's options stand in a ClusterFirst pod's file",
  ),
  change(
    'pod/resolv-conf.ts',
    'pod-hostnetwork-is-cluster-first',
    "return pod.spec.hostNetwork ? 'host' : 'cluster'",
    "return 'cluster'",
    'a hostNetwork pod with ClusterFirst asks the cluster',
  ),
  change(
    'pod/env.ts',
    'pod-links-always',
    'namespace === pod.meta.namespace && pod.spec.enableServiceLinks',
    'namespace === pod.meta.namespace',
    'enableServiceLinks: false is not heard',
  ),
  change(
    'node-local/compile.ts',
    'node-local-tracked',
    "...both('raw', 'PREROUTING', to, 'NOTRACK'),",
    '',
    'queries to NodeLocal DNSCache are tracked, and so translated to a CoreDNS pod',
  ),
]
