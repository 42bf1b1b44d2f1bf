import type { OpBody } from '../../op.ts'
import type { Hook } from '../../step.ts'
import type { NftBase, NftFamily, NftObject, NftReference, NftSetSpec } from '../nftables/object.ts'

/** For tests: the ops that lines for `nft -f` come down to, one command in each. */
export function nftOps(text: string): OpBody[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map(readLine)
}

function readLine(line: string): OpBody {
  const match = /^(add|flush|delete) (table|chain|set|map|rule|element) (ip6?|inet) (\S+) ?(\S*) ?(.*)$/.exec(line)
  if (match === null) throw new Error(`not read: ${line}`)
  const [, verb = '', kind = '', family = '', table = '', name = '', rest = ''] = match
  const at = { family: family as NftFamily, table }
  const body = kind === 'table' ? `${name} ${rest}` : rest
  if (verb === 'add') return { kind: 'nft.add', ...at, object: added(kind, name, body.trim()) }
  return { kind: verb === 'flush' ? 'nft.flush' : 'nft.delete', ...at, object: referred(kind, name, rest) }
}

function added(kind: string, name: string, body: string): NftObject {
  if (kind === 'rule') return { kind, chain: name, rule: body }
  if (kind === 'element') return { kind, ...element(name, body) }
  const parts = new Map(
    body
      .replace(/^\{|\}$/g, '')
      .split(' ;')
      .map((part) => part.trim())
      .filter((part) => part !== '')
      .map((part) => [part.split(' ')[0] ?? '', part.slice(part.indexOf(' ') + 1)] as const),
  )
  const comment = parts.get('comment')?.replaceAll('"', '')
  const said = comment === undefined ? {} : { comment }
  if (kind === 'table') return { kind, ...said }
  if (kind === 'chain') return { kind, name, ...said, ...base(parts.get('type'), parts.get('policy')) }
  const [type = '', value] = (parts.get('type') ?? '').split(' : ')
  return {
    kind: kind as 'set' | 'map',
    name,
    type,
    ...(value === undefined ? {} : { value }),
    ...numbered(parts, 'size'),
    ...numbered(parts, 'timeout'),
    ...(parts.has('flags') ? { flags: parts.get('flags')?.split(',') as NonNullable<NftSetSpec['flags']> } : {}),
    ...said,
  }
}

const numbered = (parts: ReadonlyMap<string, string>, key: 'size' | 'timeout') =>
  parts.has(key) ? { [key]: Number.parseInt(parts.get(key) ?? '', 10) } : {}

function base(text: string | undefined, policy: string | undefined): { readonly base?: NftBase } {
  const [, type, hook, priority] = /^(\w+) hook (\w+) priority (-?\d+)$/.exec(text ?? '') ?? []
  if (type === undefined) return {}
  return {
    base: {
      type: type as NftBase['type'],
      hook: hook as Hook,
      priority: Number(priority),
      ...(policy === undefined ? {} : { policy: policy as 'accept' | 'drop' }),
    },
  }
}

function element(set: string, body: string) {
  const [, key = '', comment, value] = /^\{ (.*?)(?: comment "(.*?)")?(?: : (.*))? \}$/.exec(body) ?? []
  return {
    of: value === undefined ? ('set' as const) : ('map' as const),
    set,
    key,
    ...(value === undefined ? {} : { value }),
    ...(comment === undefined ? {} : { comment }),
  }
}

function referred(kind: string, name: string, rest: string): NftReference {
  if (kind === 'table') return { kind }
  if (kind !== 'element') return { kind: kind as 'chain' | 'set' | 'map', name }
  const { of, set, key } = element(name, rest)
  return { kind, of, set, key }
}
