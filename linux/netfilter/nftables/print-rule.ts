import { formatIp, sameIp } from '../../../packet/ip.ts'
import { formatPrefix } from '../../../packet/prefix.ts'
import { formatData, formatMark } from './data-type.ts'
import type {
  DataType,
  ElementValue,
  Expression,
  NatStatement,
  NftRuleSpec,
  NftVerdict,
  Operand,
  SetRef,
  Statement,
} from './expression.ts'
import { typesOf } from './parse-expression.ts'
import { printLimit, printQuota } from './parse-metering.ts'
import { formatDuration } from './parse-rule.ts'

/** A rule as `nft list` of nft 1.0.6 prints it. */
export function printNftRule(rule: NftRuleSpec): string {
  const texts: string[] = []
  const { statements } = rule
  for (const [i, statement] of statements.entries())
    if (!isImplied(statement, statements[i + 1])) texts.push(printStatement(statement))
  if (rule.comment !== undefined) texts.push(`comment "${rule.comment}"`)
  return texts.join(' ')
}

const TRANSPORTS: ReadonlySet<string> = new Set(['tcp', 'udp', 'sctp', 'icmp', 'icmpv6'])

/** nft leaves out a test of the protocol that the next statement makes by itself. */
function isImplied(statement: Statement, next: Statement | undefined): boolean {
  if (next === undefined || statement.kind !== 'match' || statement.comparison !== '==') return false
  const { left, right } = statement
  if (right.kind !== 'value' || typeof right.data !== 'number') return false
  const asksProtocol =
    (left.kind === 'meta' && left.key === 'l4proto') || (left.kind === 'payload' && left.field === 'protocol')
  if (!asksProtocol) return false
  const protocol = formatData('inet_proto', right.data)
  if (next.kind === 'reject' && next.how === 'tcp reset') return protocol === 'tcp'
  const tested = 'left' in next ? next.left : undefined
  return tested?.kind === 'payload' && tested.header === protocol && TRANSPORTS.has(protocol)
}

function printStatement(statement: Statement): string {
  switch (statement.kind) {
    case 'match':
      return printMatch(statement)
    case 'lookup':
      return `${printExpression(statement.left)}${statement.not ? ' !=' : ''} ${printSetRef(statement.set)}`
    case 'vmap':
      return `${printExpression(statement.key)} vmap ${printSetRef(statement.map)}`
    case 'verdict':
      return printVerdict(statement.verdict)
    case 'ctMark':
      return `ct mark set ${printExpression(statement.value)}`
    case 'limit':
      return printLimit(statement)
    case 'quota':
      return printQuota(statement)
    case 'log':
      return printLog(statement)
    case 'nftrace':
      return `meta nftrace set ${statement.on}`
    case 'mark':
      return `meta mark set ${printExpression(statement.value)}`
    case 'dnat':
    case 'snat':
    case 'masquerade':
    case 'redirect':
      return printNat(statement)
    case 'reject':
      return statement.how === '' ? 'reject' : `reject with ${statement.how}`
    case 'update': {
      const timeout = statement.timeout === undefined ? '' : ` timeout ${formatDuration(statement.timeout)}`
      return `${statement.action} @${statement.set} { ${printExpression(statement.key)}${timeout} }`
    }
    case 'counter':
      return `counter packets ${statement.packets} bytes ${statement.bytes}`
    case 'notrack':
      return 'notrack'
    case 'notModelled':
      return statement.text
    default:
      return statement satisfies never
  }
}

function printLog({ prefix, level, group }: Extract<Statement, { kind: 'log' }>): string {
  const texts = ['log']
  if (prefix !== undefined) texts.push(`prefix "${prefix}"`)
  if (group !== undefined) texts.push(`group ${group}`)
  else if (level !== undefined) texts.push(`level ${level}`)
  return texts.join(' ')
}

function printMatch({ left, comparison, right }: Extract<Statement, { kind: 'match' }>): string {
  const [type] = typesOf(left)
  const shown = isHighestBit(left, right) ? `${printExpression(left.left)}` : printExpression(left)
  if (type === undefined) return shown
  const value = isHighestBit(left, right) ? '0x00000000/1' : printOperand(type, right)
  // A comparison of masked bits shows its sign, but for the one that is listed as a prefix.
  const sign = comparison === '==' && (left.kind !== 'binary' || isHighestBit(left, right)) ? '' : ` ${comparison}`
  return `${shown}${sign} ${value}`
}

/** nft 1.0.6 takes a test of bit 31 alone for a prefix of length 1. */
const isHighestBit = (left: Expression, right: Operand): left is Extract<Expression, { kind: 'binary' }> =>
  left.kind === 'binary' &&
  left.operator === '&' &&
  left.right === 0x80000000 &&
  right.kind === 'value' &&
  right.data === 0

export function printExpression(expression: Expression): string {
  switch (expression.kind) {
    case 'payload':
      return `${expression.header} ${expression.field}`
    case 'meta':
      return BARE.has(expression.key) ? expression.key : `meta ${expression.key}`
    case 'ct':
      return `ct ${expression.key}`
    case 'fib':
      return `fib ${expression.of}${expression.device === undefined ? '' : ` . ${expression.device}`} type`
    case 'numgen':
      return `numgen ${expression.mode} mod ${expression.mod}${expression.offset === 0 ? '' : ` offset ${expression.offset}`}`
    case 'binary':
      return `${printExpression(expression.left)} ${expression.operator} ${formatMark(expression.right)}`
    case 'jhash':
      return `jhash ${printExpression(expression.key)} mod ${expression.mod} seed 0x${expression.seed.toString(16)}${expression.offset === 0 ? '' : ` offset ${expression.offset}`}`
    case 'concat':
      return expression.parts.map(printExpression).join(' . ')
    case 'map':
      return `${printExpression(expression.key)} map ${printSetRef(expression.map)}`
    case 'constant':
      return formatData(expression.type, expression.data)
    default:
      return expression satisfies never
  }
}

const BARE: ReadonlySet<string> = new Set(['iif', 'iifname', 'oifname'])

export function printSetRef(set: SetRef): string {
  if (set.kind === 'named') return `@${set.name}`
  const elements = set.elements.map(({ key, value }) => {
    const printed = printKey(set.types, key)
    return value === undefined ? printed : `${printed} : ${printValue(value)}`
  })
  return `{ ${elements.join(', ')} }`
}

export const printKey = (types: readonly DataType[], key: readonly Operand[]): string =>
  key.map((operand, i) => printOperand(types[i] ?? 'integer', operand)).join(' . ')

export function printValue(value: ElementValue): string {
  if (value.kind === 'verdict') return printVerdict(value.verdict)
  return value.data.map((data, i) => formatData(value.types[i] ?? 'integer', data)).join(' . ')
}

export function printOperand(type: DataType, operand: Operand): string {
  switch (operand.kind) {
    case 'value':
      return formatData(type, operand.data)
    case 'prefix':
      return formatPrefix(operand.prefix)
    case 'range':
      return `${formatData(type, operand.min)}-${formatData(type, operand.max)}`
    case 'begins':
      return `"${operand.text}*"`
    default:
      return operand satisfies never
  }
}

export const printVerdict = (verdict: NftVerdict): string =>
  verdict.kind === 'jump' || verdict.kind === 'goto' ? `${verdict.kind} ${verdict.chain}` : verdict.kind

function printNat(nat: NatStatement): string {
  const target = natTarget(nat)
  const flags = [
    ...(nat.random ? ['random'] : []),
    ...(nat.fullyRandom ? ['fully-random'] : []),
    ...(nat.persistent ? ['persistent'] : []),
  ].join(',')
  return [nat.kind, ...(target === '' ? [] : [target]), ...(flags === '' ? [] : [flags])].join(' ')
}

function natTarget({ addressAndPort, address, ports }: NatStatement): string {
  const port = ports === undefined ? '' : `:${ports.min}${ports.max === ports.min ? '' : `-${ports.max}`}`
  if (address === undefined) return port === '' ? '' : `to ${port}`
  if (address.kind !== 'addresses') {
    // nft 1.0.6 forgets to print `addr . port`, and says only of which family they are.
    const family = addressAndPort ? (valueFamily(address) === 6 ? 'ip6 ' : 'ip ') : ''
    return `${family}to ${printExpression(address)}`
  }
  const bracketed = port !== '' && address.min.family === 6
  const ends = sameIp(address.min, address.max) ? [address.min] : [address.min, address.max]
  return `to ${ends.map((ip) => (bracketed ? `[${formatIp(ip)}]` : formatIp(ip))).join('-')}${port}`
}

function valueFamily(address: Expression): 4 | 6 {
  if (address.kind !== 'map' || address.map.kind !== 'anonymous') return 4
  const value = address.map.elements[0]?.value
  return value?.kind === 'data' && value.types[0] === 'ipv6_addr' ? 6 : 4
}
