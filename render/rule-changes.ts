import type { MachineChange } from '../engine/world-change.ts'
import type { NetnsConfig } from '../linux/host-config.ts'
import { formatIp } from '../packet/ip.ts'
import { DUMMY_DEVICE } from '../proxy/ipvs/compile.ts'
import { renderIpset } from './ipset-save.ts'
import { renderIptablesSave } from './iptables-save.ts'
import { ipvsChangeText } from './ipvs-change-text.ts'
import { nftLines } from './nft-command.ts'

/** What is other than before in the tables of a node, as lines of its own tools: `+` came, `-` went. */
export function ruleChanges({ before, after, fed, ipvs }: MachineChange): readonly string[] {
  const nft = fed.flatMap((input) => (input.tool === 'nft' ? input.ops.flatMap(nftLines) : []))
  return [
    ...([4, 6] as const).flatMap((family) =>
      differing(savedRules(before, family), savedRules(after, family)).map(
        (line) => `${line.slice(0, 2)}${family === 4 ? 'iptables' : 'ip6tables'} ${line.slice(2)}`,
      ),
    ),
    ...nft.map((line) => `nft ${line}`),
    ...ipvs.map(ipvsChangeText),
    ...differing(setLines(before), setLines(after)).map(setCommand),
    ...differing(virtualAddresses(before), virtualAddresses(after)).map(addressCommand),
  ]
}

/** `-t nat -A KUBE-SERVICES ...`: chains show by their rules. */
function savedRules({ netfilter }: NetnsConfig, family: 4 | 6): readonly string[] {
  let table = ''
  return renderIptablesSave(netfilter.iptables[family])
    .split('\n')
    .flatMap((line) => {
      if (line.startsWith('*')) table = line.slice(1)
      return line.startsWith('-A') ? [`-t ${table} ${line}`] : []
    })
}

const setLines = ({ netfilter }: NetnsConfig): readonly string[] => renderIpset(netfilter.sets)

const setCommand = (line: string): string =>
  line.startsWith('- ')
    ? `ipset ${line
        .slice(2)
        .replace(/^add/, 'del')
        .replace(/^create (\S+).*/, 'destroy $1')}`
    : `ipset ${line.slice(2)}`

const virtualAddresses = ({ links }: NetnsConfig): readonly string[] =>
  (links.find(({ name }) => name === DUMMY_DEVICE)?.addresses ?? []).map(
    ({ ip, length }) => `${formatIp(ip)}/${length} dev ${DUMMY_DEVICE}`,
  )

const addressCommand = (line: string): string => `ip addr ${line.startsWith('- ') ? 'del' : 'add'} ${line.slice(2)}`

/** Lines that only one side has, those that went first. A line that stands there twice is one. */
function differing(before: readonly string[], after: readonly string[]): readonly string[] {
  const old = new Set(before)
  const now = new Set(after)
  return [
    ...[...old].filter((line) => !now.has(line)).map((line) => `- ${line}`),
    ...[...now].filter((line) => !old.has(line)).map((line) => `+ ${line}`),
  ]
}
