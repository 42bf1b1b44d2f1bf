import type {
  NftBase,
  NftBlock,
  NftElement,
  NftFamily,
  NftObject,
  NftReference,
  NftSetSpec,
} from '../linux/netfilter/nftables/object.ts'
import type { NftOp } from '../linux/op.ts'

/** The lines that `nft -f` would be given for an op: one, or those of all that a block has. */
export function nftLines(op: NftOp): readonly string[] {
  const of = place(op.family, op.table)
  switch (op.kind) {
    case 'nft.add':
      return [`add ${addText(op.object, of)}`]
    case 'nft.flush':
      return [`flush ${referenceText(op.object, of)}`]
    case 'nft.delete':
      return [`delete ${referenceText(op.object, of)}`]
    case 'nft.block':
      return blockLines(op.block, of)
    default:
      return op satisfies never
  }
}

const place = (family: NftFamily, table: string): string => `${family} ${table}`

/** Chains and sets stand before the rules that name them, and those before the elements that lead to them. */
function blockLines(block: NftBlock, of: string): readonly string[] {
  const { sets, chains } = block.own()
  return [
    ...sets.map((set) => `add ${setText(set.kind, set, of)}`),
    ...chains.map(({ name }) => `add chain ${of} ${name}`),
    ...chains.flatMap(({ name, rules }) => rules.map(({ rule }) => `add rule ${of} ${name} ${rule}`)),
    ...block.elements.map((element) => `add ${elementText(element, of)}`),
  ]
}

function addText(object: NftObject, of: string): string {
  switch (object.kind) {
    case 'table':
      return `table ${of}${braces(commentParts(object.comment))}`
    case 'chain':
      return `chain ${of} ${object.name}${braces([...baseParts(object.base), ...commentParts(object.comment)])}`
    case 'set':
    case 'map':
      return setText(object.kind, object, of)
    case 'rule':
      return `rule ${of} ${object.chain} ${object.rule}`
    case 'element':
      return elementText(object, of)
    default:
      return object satisfies never
  }
}

const braces = (parts: readonly string[]): string =>
  parts.length === 0 ? '' : ` { ${parts.map((part) => `${part} ;`).join(' ')} }`

const commentParts = (comment: string | undefined): readonly string[] =>
  comment === undefined ? [] : [`comment "${comment}"`]

const baseParts = (base: NftBase | undefined): readonly string[] =>
  base === undefined
    ? []
    : [
        `type ${base.type} hook ${base.hook} priority ${base.priority}`,
        ...(base.policy === undefined ? [] : [`policy ${base.policy}`]),
      ]

function setText(kind: 'set' | 'map', set: NftSetSpec, of: string): string {
  const type = set.value === undefined ? set.type : `${set.type} : ${set.value}`
  return `${kind} ${of} ${set.name}${braces([
    `type ${type}`,
    ...(set.flags === undefined ? [] : [`flags ${set.flags.join(',')}`]),
    ...(set.timeout === undefined ? [] : [`timeout ${set.timeout}s`]),
    ...(set.size === undefined ? [] : [`size ${set.size}`]),
    ...commentParts(set.comment),
  ])}`
}

function elementText({ set, key, value, comment }: NftElement, of: string): string {
  const said = comment === undefined ? '' : ` comment "${comment}"`
  return `element ${of} ${set} { ${key}${said}${value === undefined ? '' : ` : ${value}`} }`
}

function referenceText(object: NftReference, of: string): string {
  switch (object.kind) {
    case 'table':
      return `table ${of}`
    case 'chain':
    case 'set':
    case 'map':
      return `${object.kind} ${of} ${object.name}`
    case 'element':
      return `element ${of} ${object.set} { ${object.key} }`
    default:
      return object satisfies never
  }
}
