import { type Ip, parseIp } from '../../packet/ip.ts'
import { lowerName } from '../name.ts'

/** A line of /etc/hosts (hosts(5)). */
export interface HostsLine {
  readonly address: Ip
  /** The canonical name first. */
  readonly names: readonly string[]
  /** 1-based. */
  readonly line: number
}

/** Reads the file; lines that do not start with an address are passed over, as libc does. */
export function parseHostsFile(text: string): readonly HostsLine[] {
  return text.split('\n').flatMap((raw, i) => {
    const [first, ...names] = (raw.split('#', 1)[0] ?? '').split(/[ \t\r]+/).filter((word) => word !== '')
    if (first === undefined || names.length === 0) return []
    const address = parseIp(first)
    return address.ok ? [{ address: address.value, names, line: i + 1 }] : []
  })
}

/** The lines that have `name` as canonical name or alias; letter case does not count. */
export function hostsOf(lines: readonly HostsLine[], name: string): readonly HostsLine[] {
  const wanted = lowerName(name)
  return lines.filter((line) => line.names.some((own) => lowerName(own) === wanted))
}
