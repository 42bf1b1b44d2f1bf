import { quote } from '../commands.ts'
import type { BuildStep } from './materialise.ts'
import type { Forwarder } from './started.ts'

export interface UpParts {
  readonly steps: readonly BuildStep[]
  /** All namespaces, in order. */
  readonly names: readonly string[]
  readonly servers: boolean
  readonly forwarders: readonly Forwarder[]
  /** Namespaces with a `NAME.bird.conf`. */
  readonly birds: readonly string[]
}

/** up.sh: the steps one after the other, and the programs. */
export function upScript({ steps, names, servers, forwarders, birds }: UpParts): string {
  const used = new Set(steps.map(({ tool }) => tool))
  const commands = [
    'ip',
    'nsenter',
    'sysctl',
    ...(['bridge', 'ipset', 'nft'] as const).filter((tool) => used.has(tool)),
    ...(['iptables', 'ip6tables'] as const).filter((tool) => used.has(tool)).map((tool) => `${tool}-$backend-restore`),
    ...(used.has('ipvs') ? ['ipvsadm'] : []),
    ...(servers || forwarders.length > 0 ? ['python3'] : []),
    ...(birds.length > 0 ? ['bird'] : []),
  ]
  const lines = [
    HEAD,
    `names=(\n${names.map((name) => `  ${quote(name)}\n`).join('')})`,
    FUNCTIONS,
    `for tool in ${commands.join(' ')}; do`,
    `  command -v "$tool" > /dev/null || stop "$tool is not installed"`,
    'done',
    START,
    ...steps.map(stepCommand),
    ...(forwarders.length > 0 ? ['', '# flanneld: its forwarder is a process'] : []),
    ...forwarders.map(
      ({ netns, device, address, listen, routes }) =>
        `program ${[netns, 'python3', 'flanneld-udp.py', device, address, listen, ...routes].map(quote).join(' ')}`,
    ),
    ...(birds.length > 0 ? ['', '# BIRD tells the nodes of each other'] : []),
    ...birds.map((netns) => `bird_in ${quote(netns)}`),
    ...(servers ? ['', '# What runs in the pods', SERVERS] : []),
    END,
  ]
  return `${lines.join('\n')}\n`
}

function stepCommand({ tool, netns, file }: BuildStep): string {
  if (netns === null) return `${tool} -batch ${quote(file)}${file === 'netns.batch' ? '\nremember' : ''}`
  const words = `${quote(netns)} ${quote(file)}`
  switch (tool) {
    case 'ip':
    case 'bridge':
      return `batch ${tool} ${words}`
    case 'sysctl':
      return `settings ${words}`
    case 'ipset':
      return `inside ${quote(netns)} ipset restore < ${quote(file)}`
    case 'nft':
      return `inside ${quote(netns)} nft -f ${quote(file)}`
    case 'ipvs':
      return `virtual_servers ${words}`
    case 'iptables':
    case 'ip6tables':
      return `inside ${quote(netns)} "${tool}-$backend-restore" < ${quote(file)}`
  }
}

const HEAD = `#!/usr/bin/env bash
# Builds the cluster out of network namespaces. As root, or in a shell of \`unshare -Urnm\`.
# IPTABLES_BACKEND=legacy takes iptables-legacy instead of iptables-nft.
set -Eeuo pipefail
cd "$(dirname "\${BASH_SOURCE[0]}")"
backend=\${IPTABLES_BACKEND:-nft}
export XTABLES_LOCKFILE="$PWD/.xtables.lock"`

const FUNCTIONS = `
stop() { echo "up.sh: $*" >&2; exit 1; }
inside() { local netns=$1; shift; nsenter --net="/run/netns/$netns" "$@"; }
# A line that this kernel refuses is told and left out, as on a node (a next hop off the link).
refused() { echo "up.sh: some lines of $1 were refused, see above" >&2; }
batch() { "$1" -force -n "$2" -batch "$3" || refused "$3"; }
settings() { inside "$1" sysctl -q -p "$2" > /dev/null || refused "$2"; }
virtual_servers() {
  local words
  while read -ra words; do inside "$1" ipvsadm "\${words[@]}"; done < "$2"
}
# .up holds what was made, so that down.sh takes down that and nothing else.
made() { echo "$*" >> .up; }
started() { made process "$1" "$(sed 's/.*) //' "/proc/$1/stat" | cut -d ' ' -f 20)"; }
program() { local pid; pid=$(inside "$@") && started "$pid" || refused "the programs of $1"; }
failed() {
  trap - ERR
  echo "up.sh: line \${BASH_LINENO[\${#BASH_LINENO[@]} - 2]} failed, so all is taken down again" >&2
  grep -q '^netns ' .up || remember
  ./down.sh > /dev/null
  exit 1
}
bird_in() {
  inside "$1" bird -c "$1.bird.conf" -s ".$1.ctl" -P ".$1.pid"
  until [ -s ".$1.pid" ]; do sleep 0.05; done
  started "$(cat ".$1.pid")"
}
remember() {
  local name
  for name in "\${names[@]}"; do
    if [ -e "/run/netns/$name" ]; then made netns "$(stat -Lc %i "/run/netns/$name")" "$name"; fi
  done
}
`

const START = `[ "$(id -u)" = 0 ] || stop 'this takes root: sudo ./up.sh, or run it in a shell of: unshare -Urnm'

if [ -e .up ]; then
  read -r _ netns name < <(grep '^netns ' .up || true) || true
  if [ -n "\${name:-}" ] && [ "$(stat -Lc %i "/run/netns/$name" 2> /dev/null)" = "$netns" ]; then
    echo 'The cluster is up already; ./down.sh takes it down.'
    exit 0
  fi
  ./down.sh > /dev/null
fi
for name in "\${names[@]}"; do
  [ ! -e "/run/netns/$name" ] || stop "there is a namespace $name already, and not from here: take another --prefix"
done

made world "$(cat /proc/sys/kernel/random/boot_id)" "$(readlink /proc/self/ns/mnt)"
trap failed ERR
# Without real root, /run is nobody's that one could write to: an own one, seen in this shell alone.
if [ ! -w /run ]; then
  mount -t tmpfs tmpfs /run
  made mounted /run
fi
# ip-netns(8) makes its folder a mount of its own the first time.
if [ ! -d /run/netns ]; then
  mkdir /run/netns
  made folder /run/netns
  made mounted /run/netns
elif ! mountpoint -q /run/netns; then
  made mounted /run/netns
fi
`

const SERVERS = `pid=$(python3 servers.py)
started "$pid"`

const END = `
echo 'The cluster is up. ./enter.sh tells the ways in, ./down.sh takes it down.'`
