import { RCODE, typeOf } from '../../record.ts'
import { dataText } from '../../record-text.ts'
import { nameText } from '../name-text.ts'
import { alsoAsk, bindResolver, type Replied, type Run, reverseText, type Tool } from './dighost.ts'
import { rcodeText } from './text.ts'

/** host(1): bin/dig/host.c of BIND 9.18. */

/** rtypes: how a record of a type is told. */
const SAYS: Readonly<Record<string, string>> = {
  A: 'has address',
  NS: 'name server',
  CNAME: 'is an alias for',
  WKS: 'has well known services',
  PTR: 'domain name pointer',
  HINFO: 'host information',
  MX: 'mail is handled by',
  TXT: 'descriptive text',
  X25: 'x25 address',
  ISDN: 'ISDN address',
  SIG: 'has signature',
  KEY: 'has key',
  AAAA: 'has IPv6 address',
  LOC: 'location',
}

const tool: Tool = {
  name: 'host',
  program: 'host',
  about: 'host of BIND 9.18: A along the search list, then AAAA and MX of the name found',
  search: true,
  tries: 2,
  checksRa: true,
  servfailStops: false,
  comments: false,
  edns: false,
  illegalExit: 1,
  first({ name, type }) {
    const reverse = reverseText(name)
    return reverse === undefined ? { text: name, type: type ?? 'A' } : { text: reverse, type: 'PTR' }
  },
  print,
  end: ({ kept }) => ({ exitCode: kept.get('error') === false ? 0 : 1, last: '' }),
}

/** Without a type, and where it is no address: A, AAAA and MX. */
const hasDefaultLookups = ({ request }: Run): boolean =>
  request.type === undefined && reverseText(request.name) === undefined

function print(run: Run, replied: Replied): void {
  const { lookup, reply, name } = replied
  const failedBefore = run.kept.get('error') === true
  run.kept.set('error', true)
  if (reply.rcode !== RCODE.NOERROR) {
    const told = reply.rcode === RCODE.NXDOMAIN ? lookup.text : nameText(name)
    run.out.push(`Host ${told} not found: ${reply.rcode}(${rcodeText(reply.rcode)})\n`)
    return
  }
  const defaults = hasDefaultLookups(run)
  if (defaults && lookup.type === 'A') for (const type of ['AAAA', 'MX']) alsoAsk(run, replied, type)
  for (const record of reply.answers) {
    const says = SAYS[typeOf(record)] ?? `has ${typeOf(record)} record`
    run.out.push(`${nameText(record.name)} ${says} ${dataText(record)}\n`)
  }
  if (!defaults && reply.answers.length === 0) run.out.push(`${nameText(name)} has no ${lookup.type} record\n`)
  run.kept.set('error', failedBefore)
}

export const bindHost = bindResolver(tool)
