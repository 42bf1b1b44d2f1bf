import { formatIp } from '../../../packet/ip.ts'
import { RCODE, type ResourceRecord, typeCode, typeOf } from '../../record.ts'
import { dataText } from '../../record-text.ts'
import { nameText } from '../name-text.ts'
import { alsoAsk, bindResolver, type Replied, type Run, reverseText, type Tool } from './dighost.ts'
import { rcodeText, serverText } from './text.ts'

/** nslookup(1), not interactive: bin/dig/nslookup.c of BIND 9.18. */

/** rtypetext: what stands between the owner and the data. */
const SAYS: Readonly<Record<string, string>> = {
  A: 'internet address = ',
  NS: 'nameserver = ',
  MD: 'md = ',
  MF: 'mf = ',
  CNAME: 'canonical name = ',
  SOA: 'soa = ',
  MB: 'mb = ',
  MG: 'mg = ',
  MR: 'mr = ',
  WKS: 'protocol = ',
  PTR: 'name = ',
  HINFO: 'hinfo = ',
  MINFO: 'minfo = ',
  MX: 'mail exchanger = ',
  TXT: 'text = ',
  RP: 'rp = ',
  AFSDB: 'afsdb = ',
  X25: 'x25 address = ',
  ISDN: 'isdn address = ',
  RT: 'rt = ',
  SIG: 'signature = ',
  KEY: 'key = ',
  PX: 'px = ',
  GPOS: 'gpos = ',
  AAAA: 'has AAAA address ',
  LOC: 'loc = ',
  NXT: 'next = ',
  SRV: 'service = ',
  NAPTR: 'naptr = ',
  KX: 'kx = ',
  CERT: 'cert = ',
  DNAME: 'dname = ',
}
/** The last type that has a text; a lower one without is `rtype_N`, a higher one `rdata_N`. */
const LAST_KNOWN = 41

const tool: Tool = {
  name: 'nslookup',
  program: 'nslookup',
  about: 'nslookup of BIND 9.18: A along the search list, then AAAA of the name found',
  search: true,
  tries: undefined,
  checksRa: true,
  servfailStops: false,
  comments: true,
  edns: false,
  illegalExit: 10,
  first({ name, type }) {
    const reverse = reverseText(name)
    return reverse === undefined ? { text: name, type: type ?? 'A' } : { text: reverse, type: 'PTR' }
  },
  print,
  end: ({ kept }) => ({ exitCode: kept.get('reached') && !kept.get('failed') ? 0 : 1, last: '\n' }),
}

function print(run: Run, replied: Replied): void {
  const { lookup, reply, name, server } = replied
  const { out, kept } = run
  const defaults = run.request.type === undefined
  kept.set('reached', true)
  const isFirst = !defaults || lookup.type === 'A'
  if (isFirst) out.push(`Server:\t\t${formatIp(server)}\nAddress:\t${serverText(server)}\n\n`)
  if (reply.rcode !== RCODE.NOERROR) {
    out.push(`** server can't find ${nameText(name)}: ${rcodeText(reply.rcode)}\n`)
    kept.set('failed', true)
    return
  }
  if (defaults && lookup.type === 'A') alsoAsk(run, replied, 'AAAA')
  if (!reply.flags.authoritative && isFirst) out.push('Non-authoritative answer:\n')
  if (reply.answers.length > 0) for (const record of reply.answers) out.push(recordLines(record, true))
  else if (defaults && lookup.type === 'A') kept.set('noAddress', true)
  else if (!defaults || (lookup.type === 'AAAA' && kept.get('noAddress')))
    out.push(`*** Can't find ${lookup.text}: No answer\n`)
  if (reply.flags.authoritative || lookup.type === 'A' || lookup.type === 'AAAA') return
  out.push('\nAuthoritative answers can be found from:\n')
  for (const record of [...reply.authorities, ...reply.additionals]) out.push(recordLines(record, false))
}

function recordLines(record: ResourceRecord, inAnswer: boolean): string {
  const owner = nameText(record.name)
  if ((record.type === 'A' || record.type === 'AAAA') && inAnswer)
    return `Name:\t${owner}\nAddress: ${dataText(record)}\n`
  if (record.type === 'SOA')
    return `${owner}\n\torigin = ${nameText(record.mname)}\n\tmail addr = ${nameText(record.rname)}\n\tserial = ${record.serial}\n\trefresh = ${record.refresh}\n\tretry = ${record.retry}\n\texpire = ${record.expire}\n\tminimum = ${record.minimum}\n`
  const code = typeCode(typeOf(record)) ?? 0
  const says = SAYS[typeOf(record)] ?? `${code <= LAST_KNOWN ? 'rtype' : 'rdata'}_${code} = `
  return `${owner}\t${says}${dataText(record)}\n`
}

export const bindNslookup = bindResolver(tool)
