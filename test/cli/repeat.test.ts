import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { podwalk } from './run-podwalk.ts'

/** `--repeat`: the machines remember what earlier requests left behind. */

const STICKY = join(import.meta.dirname, 'sticky-service.yaml')
const ask = (...args: readonly string[]) =>
  podwalk('trace', '--lab', 'textbook-flannel-vxlan', '-f', STICKY, '--from', 'pod/client', ...args, '-q')

describe('affinity of ten seconds', () => {
  test.each<[string, string, string, string]>([
    ['iptables', '5', '12', 'one server'],
    ['iptables', '15', '12', '2 servers'],
    ['nftables', '5', '12', 'one server'],
    ['nftables', '15', '12', '2 servers'],
    ['userspace', '5', '12', 'one server'],
    ['userspace', '15', '12', '2 servers'],
    ['ipvs', '5', '12', 'one server'],
    // A persistence template lives as long as a connection it made; a closed one is in TIME_WAIT for two minutes.
    ['ipvs', '15', '12', 'one server'],
    ['ipvs', '400', '4', '2 servers'],
  ])('%s, every %s s', (mode, every, times, servers) => {
    const { out } = ask('--to', 'svc/sticky', '--proxy', mode, '--repeat', times, '--every', every)
    expect(out.split('\n')[0]).toBe(`${times} requests, ${servers}  pod/client -> svc/sticky`)
    expect(out.match(/ delivered /g)).toHaveLength(Number(times))
  })
})

test('requests are so far apart as was asked, and each has a port of its own', () => {
  const rows = ask('--to', 'http://my-nginx', '--repeat', '4', '--every', '7').out.split('\n').slice(2, 6)
  expect(rows.map((row) => /^ {2}\d +(\d+) s/.exec(row)?.[1])).toEqual(['0', '7', '14', '21'])
  expect(new Set(rows.map((row) => /10\.244\.1\.2:(\d+)/.exec(row)?.[1])).size).toBe(4)
})

test('json has a trace for each', () => {
  const walks = JSON.parse(ask('--to', 'svc/sticky', '--repeat', '3', '-o', 'json').out) as { kind: string }[]
  expect(walks.map(({ kind }) => kind)).toEqual(['Trace', 'Trace', 'Trace'])
})

test('one refused exits with 1', () => {
  expect(ask('--to', 'svc/empty:80', '--repeat', '2').code).toBe(1)
})
