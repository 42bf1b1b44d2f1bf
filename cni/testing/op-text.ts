import type { Op, Route } from '../../linux/op.ts'
import { formatIp } from '../../packet/ip.ts'
import { formatMac } from '../../packet/mac.ts'
import { formatPrefix } from '../../packet/prefix.ts'

/** An op as one short line, so that a test can hold a node's state as text. */
export function opText(op: Op): string {
  const where = op.netns === 'root' ? '' : `${op.netns}: `
  return where + bodyText(op)
}

function bodyText(op: Op): string {
  switch (op.kind) {
    case 'netns.add':
      return 'netns add'
    case 'link.add':
      return `link add ${op.name} ${formatMac(op.mac)} mtu ${op.mtu} ${typeText(op.type)}`
    case 'link.set': {
      const words = [
        op.up ? 'up' : '',
        op.mac === undefined ? '' : 'mac',
        op.master === undefined ? '' : `master ${op.master}`,
      ]
      return `link set ${op.name} ${words.filter((word) => word !== '').join(' ')}`
    }
    case 'bridge.port':
      return `bridge port ${op.name} hairpin ${op.hairpin}`
    case 'addr.add': {
      const brd = op.broadcast === undefined ? '' : ` brd ${formatIp(op.broadcast)}`
      return `addr add ${formatIp(op.address.ip)}/${op.address.length}${brd} dev ${op.link}`
    }
    case 'route.replace':
      return `route ${routeText(op.route)}`
    case 'neigh.replace':
      return `neigh ${formatIp(op.ip)} lladdr ${formatMac(op.mac)} dev ${op.link}`
    case 'fdb.append':
      return `fdb ${formatMac(op.mac)} dev ${op.link} dst ${op.dst === undefined ? '-' : formatIp(op.dst)}`
    case 'chain.new':
      return `iptables${op.family === 6 ? '6' : ''} -t ${op.table} -N ${op.chain}`
    case 'rule.append':
    case 'rule.insert':
      return `iptables${op.family === 6 ? '6' : ''} -t ${op.table} ${op.kind === 'rule.append' ? '-A' : '-I'} ${op.chain} ${op.args}`
    case 'sysctl.set':
      return `sysctl ${op.key}=${op.value}`
    case 'file.write':
      return `file ${op.path}`
    case 'process.start':
      return `start ${op.program} ${JSON.stringify(op.args)}`
    case 'set.new':
      return `ipset create ${op.set} ${op.type}`
    case 'set.add':
      return `ipset add ${op.set} ${op.entry}`
    default:
      return op.kind
  }
}

function typeText(type: Extract<Op, { kind: 'link.add' }>['type']): string {
  switch (type.kind) {
    case 'veth':
      return `veth peer ${type.peer.netns} ${type.peer.name} ${formatMac(type.peer.mac)} mtu ${type.peer.mtu}`
    case 'vxlan':
      return `vxlan id ${type.vni} local ${formatIp(type.local)} dev ${type.dev} port ${type.port}${type.learning ? '' : ' nolearning'}`
    default:
      return type.kind
  }
}

function routeText(route: Route): string {
  const words = [
    route.type === 'unicast' ? '' : route.type,
    formatPrefix(route.destination),
    route.via === undefined ? '' : `via ${formatIp(route.via)}`,
    route.dev === undefined ? '' : `dev ${route.dev}`,
    route.onlink ? 'onlink' : '',
    route.protocol === 'boot' ? '' : `proto ${route.protocol}`,
    route.scope === undefined ? '' : `scope ${route.scope}`,
    route.metric === undefined ? '' : `metric ${route.metric}`,
  ]
  return words.filter((word) => word !== '').join(' ')
}
