import { isIP } from 'node:net'
import { type Parsed, parsed, refused } from '../packet/parsed.ts'

/** `127.0.0.1:5353`, `[::1]:5353`; without a port where one is usual. */
export function parseListen(text: string, usual?: number): Parsed<{ readonly address: string; readonly port: number }> {
  const bare = isIP(text) !== 0
  const cut = bare ? undefined : /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text)
  const address = bare ? text : (cut?.[1] ?? cut?.[2])
  const port = bare ? usual : Number(cut?.[3])
  if (address === undefined || isIP(address) === 0) return refused(`"${text}" is not ADDRESS:PORT`)
  if (port === undefined) return refused(`"${text}" has no port`)
  if (port > 65_535) return refused(`port ${port} is not 0 to 65535`)
  return parsed({ address, port })
}
