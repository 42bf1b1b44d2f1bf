import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { podwalk } from './run-podwalk.ts'

/**
 * Whole answers as people read them, few enough to be read in a diff. After a change that is meant:
 * `UPDATE_GOLDENS=1 npx vitest run test/cli/golden`.
 */

const FOLDER = join(import.meta.dirname, '..', 'cases', 'golden')

/** What is asked before tables are shown. */
const ASKED = ['--from', 'pod/client', '--to', 'svc/my-nginx:80', '--repeat', '2']
const STICKY = ['--lab', 'textbook-flannel-vxlan', '--from', 'pod/client', '--to', 'svc/sticky', '--repeat', '3']

const GOLDENS: Readonly<Record<string, readonly string[]>> = {
  'vxlan-name-to-reply': ['trace', '--from', 'pod/client', '--to', 'http://my-nginx'],
  'vxlan-ping-headers': ['trace', '--from', 'pod/client', '--to', 'pod/near', '--protocol', 'icmp', '-v'],
  'vxlan-all-ways': ['trace', '--from', 'pod/client', '--to', 'svc/my-nginx:80', '--explore', 'all'],
  'vxlan-no-endpoints': ['trace', '--from', 'pod/client', '--to', 'svc/empty:80'],
  'vxlan-no-such-name': ['trace', '--from', 'pod/client', '--to', 'http://no-such-name'],
  'vxlan-node-port': ['trace', '--from', 'ext/laptop', '--to', '192.168.40.181:30082'],
  'vxlan-policy': ['trace', '--from', 'pod/client', '--to', 'pod/db:6379'],
  'udp-pod-to-pod': ['trace', '--lab', 'textbook-flannel-udp', '--from', 'pod/client', '--to', 'pod/far:80'],
  'host-gw-pod-to-pod': ['trace', '--lab', 'textbook-flannel-host-gw', '--from', 'pod/client', '--to', 'pod/far:80'],
  'calico-pod-to-pod': ['trace', '--lab', 'textbook-calico-bgp', '--from', 'pod/client', '--to', 'pod/far:80'],
  'two-racks-vxlan': ['trace', '--lab', 'two-racks', '--from', 'pod/client', '--to', 'svc/far:80'],
  'dns-bing': ['dns', '--from', 'pod/client', 'cn.bing.com'],
  'dns-bing-all-resolvers': ['dns', '--from', 'pod/client', 'cn.bing.com', '--resolver', 'all'],
  'compare-iptables-ipvs': ['compare', '--from', 'pod/client', '--to', 'svc/far', '--proxy', 'iptables,nftables,ipvs'],
  'then-udp-to-nobody': [
    ...['trace', '--lab', 'textbook-flannel-vxlan', '-f', 'docs/stale-flows.yaml', '--from', 'pod/client'],
    ...['--to', 'svc/dns', '--then', 'scale deploy/dns --replicas=0'],
  ],
  'then-tcp-nftables': [
    ...['trace', '--from', 'pod/client', '--to', 'http://my-nginx', '--proxy', 'nftables'],
    ...['--then', 'rollout restart deploy/my-nginx'],
  ],
  'show-conntrack': ['show', 'conntrack', '--node', 'xianchaonode1', ...ASKED],
  'show-neigh': ['show', 'neigh', '--node', 'xianchaonode1', ...ASKED],
  'show-fdb': ['show', 'fdb', '--node', 'xianchaonode1', ...ASKED],
  'show-ipvs-connections': ['show', 'ipvs', '--node', 'xianchaonode1', '--proxy', 'ipvs', '--connections', ...ASKED],
  'show-ipvs-stats': [
    ...['show', 'ipvs', '--node', 'xianchaonode1', '--proxy', 'ipvs', '--stats', '--service', 'my-nginx', ...ASKED],
  ],
  'show-ipvs-drains': [
    ...['show', 'ipvs', '--node', 'xianchaonode1', '--proxy', 'ipvs', '--service', 'my-nginx', '--from', 'pod/client'],
    ...['--to', 'svc/my-nginx', '--then', 'label pod -n default my-nginx-6846989649-z8fvl run-'],
  ],
  'show-recent': ['show', 'recent', '--node', 'xianchaonode1', '-f', 'test/cli/sticky-service.yaml', ...STICKY],
  'show-nft-affinity': [
    ...['show', 'nft', '--node', 'xianchaonode1', '-f', 'test/cli/sticky-service.yaml', '--proxy', 'nftables'],
    ...['--service', 'sticky', ...STICKY],
  ],
  'via-all': ['trace', '--from', 'ext/laptop', '--to', 'svc/near-local', '--via', 'all'],
  'check-lab': ['check'],
  'check-shop': ['check', '-f', 'test/cases/snapshots/shop/all.json.gz'],
  'check-dead-node': ['check', '-f', 'test/cases/snapshots/dead-node/all.json.gz', '--ascii'],
  'check-manifests': ['check', '-f', 'test/cases/snapshots/textbook/manifests'],
  'userspace-proxy': ['trace', '--from', 'pod/client', '--to', 'svc/far:80', '--proxy', 'userspace'],
}

const update = process.env.UPDATE_GOLDENS === '1'

test.each(Object.entries(GOLDENS))('%s', (name, args) => {
  const path = join(FOLDER, `${name}.txt`)
  const { out, err, code } = podwalk(...args)
  const text = `$ podwalk ${args.join(' ')}\n${out}${err}$ echo $?\n${code}\n`
  if (update || !(existsSync(path) || process.env.CI)) writeFileSync(path, text)
  expect(text).toBe(readFileSync(path, 'utf8'))
})

test('no golden is left over', () => {
  expect(readdirSync(FOLDER).sort()).toEqual(
    Object.keys(GOLDENS)
      .map((name) => `${name}.txt`)
      .sort(),
  )
})
