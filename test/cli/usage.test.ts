import { expect, test } from 'vitest'
import { podwalk } from './run-podwalk.ts'

/** A wrong call says what is wrong, where, and what to do: on standard error, with exit code 2. */

const FROM = ['trace', '--from', 'pod/client'] as const

test.each<[string, readonly string[], readonly RegExp[]]>([
  ['a command that does not exist', ['walk'], [/there is no command "walk"/, /choose one of trace, .*show/]],
  ['a command spelled wrong', ['tarce'], [/there is no command "tarce"/, /did you mean podwalk trace\?/]],
  ['an option that does not exist', [...FROM, '--to', 'x', '--bogus'], [/unknown option '--bogus'/]],
  ['no source', ['trace', '--to', 'x'], [/'--from <endpoint>' not specified/]],
  ['no target', [...FROM], [/'--to <endpoint>' not specified/]],
  ['an output form', [...FROM, '--to', 'x', '-o', 'xml'], [/'xml' is invalid/, /text, wide, json/]],
  ['a TTL', [...FROM, '--to', 'x', '--ttl', '256'], [/'256' is invalid/, /1 to 255/]],
  ['a seed', [...FROM, '--to', 'x', '--seed', 'lucky'], [/'lucky' is invalid/]],
  ['a protocol', [...FROM, '--to', 'x', '--protocol', 'quic'], [/'quic' is invalid/, /tcp, udp, icmp/]],
  ['what to explore', [...FROM, '--to', 'x', '--explore', 'some'], [/'some' is invalid/]],
  ['a lab', [...FROM, '--to', 'x', '--lab', 'none'], [/no built-in lab "none"/, /two-racks/]],
  ['a source that is a Service', ['trace', '--from', 'svc/far', '--to', 'x'], [/--from svc\/far/, /pod, a node/]],
  ['a source spelled wrong', ['trace', '--from', 'pod/clint', '--to', 'x'], [/Did you mean pod\/default\/client\?/]],
  ['a machine that is not there', ['trace', '--from', 'node/n9', '--to', 'x'], [/n9/, /node\/xianchaonode1/]],
  ['an address cut short', [...FROM, '--to', '10.244.1'], [/"10\.244\.1" looks like an address/]],
  ['a port too large', [...FROM, '--to', 'svc/far:70000'], [/port 70000 is not 1 to 65535/]],
  ['a port name that is not there', [...FROM, '--to', 'svc/far:metrics'], [/no port metrics/, /80\/TCP/]],
  ['a kind that is not there', [...FROM, '--to', 'cronjob/a/b'], [/"cronjob" is no kind/]],
  ['a Service that is only a name', [...FROM, '--to', 'svc/client-svc'], [/ExternalName/, /client-svc\.default/]],
  ['a headless Service', [...FROM, '--to', 'svc/nginx:80'], [/headless/, /nginx\.default/]],
  ['nothing to show', ['show'], [/missing required argument 'what'/]],
  ['a noun spelled wrong', ['show', 'rout', '--node', 'xianchaonode1'], [/"rout"/, /did you mean route\?/]],
  ['no place to show', ['show', 'route'], [/of which machine or pod/, /xianchaonode1/]],
  ['a node that is not there', ['show', 'route', '--node', 'n9'], [/there is no node n9/, /xianchaonode1/]],
  ['a pod that is not there', ['show', 'route', '--pod', 'clientt'], [/Did you mean pod\/default\/client\?/]],
  ['a capture without a file', ['pcap', '--from', 'pod/client', '--to', 'svc/far:80'], [/'-w, --write <file>'/]],
  [
    'a file that cannot be written',
    ['pcap', '--from', 'pod/client', '--to', 'svc/far:80', '-w', '/no/such/place.pcapng'],
    [/\/no\/such\/place\.pcapng cannot be written: no such file or directory/],
  ],
  [
    'a capture point that no packet crosses',
    ['pcap', '--from', 'pod/client', '--to', 'svc/far:80', '-w', '/dev/null', '--at', 'xianchaonode1/eth9'],
    [/xianchaonode1\/eth9: no packet crosses that/, /xianchaonode1\/ens33/],
  ],
  [
    'a proxy mode that never was',
    [...FROM, '--to', 'x', '--proxy', 'nftable'],
    [/no mode "nftable"/, /did you mean nftables\?/],
  ],
  [
    'a proxy mode to compare',
    ['compare', '--from', 'pod/client', '--to', 'x', '--proxy', 'iptables,'],
    [/no mode ""/, /choose one of iptables/],
  ],
  [
    'an entry node that is not there',
    [...FROM, '--to', 'svc/far', '--via', 'n9'],
    [/there is no node n9/, /xianchaonode1/, /or all/],
  ],
  ['an entry node for a name', [...FROM, '--to', 'far', '--via', 'all'], [/far is a name/, /its lookup decides/]],
  [
    'an entry node for an address that the asker has rules for',
    [...FROM, '--to', 'svc/kubernetes', '--via', 'all'],
    [/pod default\/client is on a node, whose own rules take/],
  ],
  ['a lab command that does not exist', ['lab', 'bogus'], [/unknown command 'bogus'/]],
  ['nothing to validate', ['lab', 'validate'], [/missing required argument 'file'/]],
  ['no nodes', ['lab', 'new', '--nodes', '0'], [/'0' is invalid/, /1 to 200/]],
  ['a pod network for a lab', ['lab', 'new', '--cni', 'weave'], [/'weave' is invalid/, /calico-bgp/]],
  [
    'a file that is not there',
    [...FROM, '--to', 'x', '-f', '/no/such/file.yaml'],
    [/\/no\/such\/file\.yaml cannot be/],
  ],
])('%s', (_, args, expected) => {
  const ran = podwalk(...args)
  expect(ran.out).toBe('')
  expect(ran.err).toMatch(/^error: /)
  expect(ran.err).toMatch(/\n {2}do: \S/)
  for (const words of expected) expect(ran.err).toMatch(words)
  expect(ran.code).toBe(2)
})

test('a name that several objects have is not chosen from', () => {
  const twice = ['-n', 'somewhere', '--from', 'pod/client', '--to', 'svc/nginx']
  const ran = podwalk('trace', ...twice, '-f', 'topologies/two-racks/lab.yaml', '-f', 'test/cli/second-client.yaml')
  expect(ran.err).toContain('there are several of that name: pod/default/client, pod/other/client. Say which')
  expect(ran.code).toBe(2)
})

test.each([
  [['--help']],
  [['trace', '--help']],
  [['pcap', '--help']],
  [['show', '--help']],
  [['lab', '--help']],
  [['lab', 'list', '--help']],
  [['lab', 'new', '--help']],
  [['lab', 'validate', '--help']],
  [['lab', 'schema', '--help']],
  [['lab', 'materialise', '--help']],
  [['schema', '--help']],
  [['version', '--help']],
  [['help', 'trace']],
  [['help', 'lab']],
])('%j tells how it is used, in 80 columns', (args) => {
  const ran = podwalk(...args)
  expect(ran).toMatchObject({ code: 0, err: '' })
  expect(ran.out).toMatch(/^Usage: podwalk/)
  expect(ran.out.split('\n').filter((line) => line.length > 80)).toEqual([])
})

test('each command and option is told in the help', () => {
  const told = ['trace', 'pcap', 'show', 'lab', 'schema', 'version']
  for (const word of told) expect(podwalk('--help').out).toMatch(new RegExp(`^ {2}${word} `, 'm'))
  const trace = '-f --lab --proxy --strict -q --from --to -n --protocol --ttl --seed -v -o --explore --no-color --ascii'
  for (const option of trace.split(' ')) expect(podwalk('trace', '--help').out).toContain(`  ${option}`)
})
