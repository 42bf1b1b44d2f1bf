import { execFile, spawnSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type DnsService, serveDns } from '../../cli/serve-dns.ts'
import { dnsAsker, dnsRoom } from '../../engine/dns-room.ts'
import { must } from '../../packet/parsed.ts'
import { openLab } from '../labs.ts'

/** Real clients of the DNS server: dig, kdig and host take every reply, over UDP and TCP, and hostile ones do no harm. */

const CLIENTS = ['dig', 'kdig', 'host'] as const
const missing = CLIENTS.filter((client) => spawnSync(client, ['-V']).error !== undefined)
if (missing.length > 0 && process.env.CI)
  throw new Error(`${missing.join(', ')} not there (bind9-dnsutils, knot-dnsutils), and CI must not skip them`)
if (missing.length > 0) console.log(`skipped: ${missing.join(', ')} not installed`)

let service: DnsService
beforeAll(async () => {
  const built = openLab('textbook-flannel-vxlan')
  const { room, coredns } = dnsRoom(built)
  if (coredns === undefined) throw new Error('the lab has no CoreDNS')
  const asker = must(dnsAsker(built, coredns, { from: 'pod/client' }))
  service = await serveDns({ room, ...asker, listen: { address: '127.0.0.1', port: 0 } })
})
afterAll(() => service.close())

const run = (command: string, args: readonly string[]): Promise<string> =>
  new Promise((resolve) => {
    execFile(command, args, { timeout: 15_000 }, (_error, stdout, stderr) => resolve(stdout + stderr))
  })

const QUESTIONS: readonly (readonly [name: string, type: string])[] = [
  ['my-nginx.default.svc.cluster.local', 'A'],
  ['my-nginx.default.svc.cluster.local', 'AAAA'],
  ['kubernetes.default.svc.cluster.local', 'SRV'],
  ['nginx.default.svc.cluster.local', 'A'],
  ['client-svc.default.svc.cluster.local', 'CNAME'],
  ['dns-version.cluster.local', 'TXT'],
  ['cluster.local', 'SOA'],
  ['cluster.local', 'NS'],
  ['1.0.96.10.in-addr.arpa', 'PTR'],
  ['nosuch.default.svc.cluster.local', 'A'],
  ['cn.bing.com', 'A'],
  ['www.example.com', 'MX'],
]

/** dig says so of every name below .local, and of every server without recursion. */
const EXPECTED = /^;; WARNING: (\.local is reserved for Multicast DNS|recursion requested but not available)/
const complaints = (text: string): readonly string[] =>
  text
    .split('\n')
    .filter((line) => /warning|error|malformed|mismatch|truncated|unexpected|bogus|no servers/i.test(line))
    .filter((line) => !EXPECTED.test(line) && !/^;; (->>HEADER|Got answer)/.test(line))

describe.skipIf(missing.length > 0)('every reply is taken', () => {
  const at = () => ['@127.0.0.1', '-p', `${service.port}`]
  const cases = QUESTIONS.flatMap(([name, type]) => (['udp', 'tcp'] as const).map((way) => [name, type, way] as const))

  test.each(cases)('%s %s by %s', async (name, type, way) => {
    const tcp = way === 'tcp' ? ['+tcp'] : []
    const dig = await run('dig', [...at(), ...tcp, '+tries=1', name, type])
    expect(complaints(dig)).toEqual([])
    expect(dig).toMatch(/status: (NOERROR|NXDOMAIN)/)
    const kdig = await run('kdig', [...at(), ...tcp, '+retry=0', name, type])
    expect(complaints(kdig)).toEqual([])
    expect(kdig).toMatch(/status: (NOERROR|NXDOMAIN)/)
    const host = await run('host', [
      ...(way === 'tcp' ? ['-T'] : []),
      '-p',
      `${service.port}`,
      '-t',
      type,
      name,
      '127.0.0.1',
    ])
    expect(complaints(host)).toEqual([])
  })
})

describe('it survives', () => {
  const ask = (): Promise<boolean> =>
    new Promise((resolve) => {
      const socket = createSocket('udp4')
      const end = (heard: boolean): void => {
        clearTimeout(timer)
        socket.close()
        resolve(heard)
      }
      const timer = setTimeout(() => end(false), 5000)
      socket.once('message', () => end(true))
      socket.send(QUERY, service.port, '127.0.0.1')
    })

  test('packets that are no queries', async () => {
    const socket = createSocket('udp4')
    const hostile = [0, 1, 11, 12, 13, 40, 600, 9000].map((size) => Buffer.alloc(size, 0xff))
    for (const bytes of [...hostile, Buffer.concat([QUERY, QUERY]), QUERY.subarray(0, 20)])
      await new Promise<void>((resolve) => socket.send(bytes, service.port, '127.0.0.1', () => resolve()))
    socket.close()
    expect(await ask()).toBe(true)
  })

  test('50 connections at once, some that say nothing, some nonsense, some cut off', async () => {
    const answered = await Promise.all(
      Array.from(
        { length: 50 },
        (_, i) =>
          new Promise<boolean>((resolve) => {
            const connection = connect(service.port, '127.0.0.1', () => {
              if (i % 5 === 1) connection.write(Buffer.alloc(100, 0xee))
              else if (i % 5 === 2) connection.write(Buffer.from([0, 200, 1]), () => connection.destroy())
              else if (i % 5 !== 3) connection.write(Buffer.concat([Buffer.from([0, QUERY.length]), QUERY]))
            })
            const end = (heard: boolean): void => {
              clearTimeout(timer)
              connection.destroy()
              resolve(heard)
            }
            const timer = setTimeout(() => end(false), 3000)
            connection.on('data', () => end(true))
            connection.on('error', () => end(false))
            connection.on('close', () => end(false))
          }),
      ),
    )
    const asked = answered.filter((_, i) => i % 5 === 0 || i % 5 === 4)
    expect(asked).toEqual(asked.map(() => true))
    expect(await ask()).toBe(true)
  })
})

/** `kubernetes.default.svc.cluster.local. A`, id 0x1234, RD. */
const QUERY = Buffer.concat([
  Buffer.from([0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]),
  ...['kubernetes', 'default', 'svc', 'cluster', 'local'].flatMap((label) => [
    Buffer.from([label.length]),
    Buffer.from(label),
  ]),
  Buffer.from([0, 0, 1, 0, 1]),
])
