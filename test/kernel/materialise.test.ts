import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { writeFiles } from './agent.ts'
import { type KernelLab, withKnobs } from './lab.ts'
import { materialise, tracedPlaces } from './materialise.ts'
import { flannelNode, outsideHost } from './scenario/flannel.ts'
import { addr, card, inRoot, rules, up } from './scenario/words.ts'

const machine = (name: string, last: number, segment: string) => ({
  name,
  ops: inRoot(card('eth0', `52:54:00:00:00:0${last}`, segment), addr('eth0', `10.0.0.${last}/24`), up('eth0')),
})
const lab = (...hosts: KernelLab['hosts']): KernelLab => ({ hosts })

describe('cables', () => {
  it.each([1, 2, 3])('%i cards are plugged into a switch that knows them and says nothing', (count) => {
    const machines = Array.from({ length: count }, (_, i) => machine(`m${i + 1}`, i + 1, 's'))
    const { files, switches } = materialise(lab(...machines))
    expect(switches).toEqual(['switch-s'])
    expect(files.get('links.batch')?.split('\n')).toHaveLength(count + 1)
    expect(files.get('switch-s.bridge')).toContain('fdb append 52:54:00:00:00:01 dev port1 master static')
    expect(files.get('switch-s.sysctl')).toContain('net.bridge.bridge-nf-call-iptables=0')
    expect(files.get('switch-s.sysctl')).toContain('net.ipv6.conf.all.disable_ipv6=1')
  })

  it('a switch that is called like a machine gets another name', () => {
    const { switches, places } = materialise(lab(machine('switch-s', 1, 's')))
    expect([...places.keys(), ...switches]).toEqual(['switch-s', 'switch-s-2'])
  })
})

it('only namespaces with rules are traced', () => {
  const ruled = {
    name: 'b',
    ops: [...machine('b', 2, 's').ops, ...inRoot(...rules(4, 'filter', '-A INPUT -j ACCEPT'))],
  }
  const { places } = materialise(lab(machine('a', 1, 's'), ruled))
  expect(tracedPlaces([machine('a', 1, 's'), ruled], places)).toEqual(['b'])
})

it('IPv6 is off where nobody speaks it', () => {
  const four = materialise(lab(machine('a', 1, 's')))
  expect(four.files.get('a.sysctl')).toContain('net.ipv6.conf.all.disable_ipv6=1')
  const six = { name: 'a', ops: inRoot(addr('lo', 'fd00::1/128')) }
  expect(materialise(lab(six)).files.get('a.sysctl')).not.toContain('disable_ipv6')
})

const ASK = [
  'import socket, sys',
  'ask = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)',
  'ask.settimeout(0.2)',
  'ask.connect(("10.244.2.2", 9))',
  'try:',
  '    ask.send(b"x"); ask.recv(1)',
  'except ConnectionRefusedError:',
  '    print("refused")',
  'except OSError:',
  '    sys.exit(1)',
].join('\n')

/** A private world for the scripts; empty words where it cannot be had. */
function inPrivateWorld(directory: string, script: string): { status: number | null; out: string } {
  const world = 'mkdir -p /run/netns /etc/netns && mount -t tmpfs tmpfs /run/netns && mount -t tmpfs tmpfs /etc/netns'
  const done = spawnSync(
    'unshare',
    ['--mount', '--net', 'bash', '-c', `set -e; ${world}; cd ${directory}; ${script}`],
    {
      encoding: 'utf8',
    },
  )
  return { status: done.status, out: `${done.stdout}${done.stderr}` }
}

const isRoot = process.getuid?.() === 0

describe.skipIf(!isRoot && process.env.CI === undefined)('up.sh, enter.sh and down.sh', () => {
  it('make the lab, let one in, and leave nothing', () => {
    const folder = mkdtempSync(join(tmpdir(), 'materialise-'))
    const nodes = [1, 2].map((number) =>
      flannelNode({ number, peers: [1, 2], backend: 'vxlan', services: [], hairpin: true }),
    )
    writeFiles(folder, materialise(withKnobs(lab(...nodes, outsideHost()))).files)
    const { status, out } = inPrivateWorld(
      folder,
      [
        './up.sh',
        './enter.sh node1/a ip -br addr show eth0',
        './enter.sh node1 ip route show 10.244.2.0/24',
        './enter.sh node1 bridge fdb show dev flannel.1',
        './enter.sh node2 ip neigh show dev flannel.1',
        // Ports of a bridge forward some time after they are up; a closed port that says so was reached.
        `for i in $(seq 50); do ./enter.sh node1/a python3 -c '${ASK}' && break; done`,
        './down.sh',
        'ip netns list | wc -l',
      ].join('; '),
    )
    rmSync(folder, { recursive: true })
    expect(out).toMatch(/eth0@\S+\s+UP\s+10\.244\.1\.2\/24/)
    expect(out).toContain('10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink')
    expect(out).toContain('1e:57:a2:00:00:02 dst 192.168.40.182 self permanent')
    expect(out).toContain('10.244.1.0 lladdr 1e:57:a2:00:00:01 PERMANENT')
    expect(out).toContain('refused')
    expect(out.trimEnd()).toMatch(/\n0$/)
    expect(status).toBe(0)
  })
})
