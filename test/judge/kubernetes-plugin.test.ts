import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { answer } from '../../dns/coredns/answer.ts'
import { dnsApiView } from '../../dns/coredns/api-view.ts'
import { loadCorefile } from '../../dns/coredns/load.ts'
import { Server } from '../../dns/coredns/server.ts'
import { type Message, query } from '../../dns/message.ts'
import { decodeMessage } from '../../dns/message-decode.ts'
import { encodeMessage } from '../../dns/message-encode.ts'
import { type ResourceRecord, rcodeName } from '../../dns/record.ts'
import { recordText } from '../../dns/record-text.ts'
import { ip } from '../../packet/ip.ts'
import { dnsObjects } from './api-objects.ts'
import { casesFolder, hasCases } from './cases-folder.ts'

/** The 141 cases of CoreDNS's own tests of its kubernetes plugin; kept outside of the project. */
interface Suite {
  readonly objects: Readonly<Record<string, readonly unknown[]>>
  readonly groups: readonly Group[]
}

interface Group {
  readonly test: string
  readonly config: {
    readonly zones: readonly string[]
    readonly namespaces?: readonly string[]
    readonly pods?: string
    readonly ignoreEmptyService?: boolean
    readonly multicluster?: readonly string[]
    readonly zonal?: boolean
    readonly localIPs?: readonly string[]
    readonly synced?: boolean
    readonly noReverseIndex?: boolean
  }
  readonly objects: string
  readonly cases: readonly Case[]
}

interface Case {
  readonly query: { readonly name: string; readonly type: string }
  readonly rcode: string
  readonly answer: readonly Row[]
  readonly authority: readonly Row[]
  readonly additional: readonly Row[]
  readonly truncated: boolean
  readonly upstream?: { readonly truncated: boolean; readonly answer: readonly Row[] }
}

interface Row {
  readonly name: string
  readonly ttl: number
  readonly type: string
  readonly data: string | Readonly<Record<string, string | number>>
}

/** A row as text; of a SOA only owner, TTL and mname, as the recorded tests compare. */
function rowText({ name, ttl, type, data }: Row): string {
  if (typeof data === 'string')
    return `${name} ${ttl} ${type} ${type === 'TXT' ? `"${data.replaceAll('"', '')}"` : data}`
  if (type === 'SOA') return `${name} ${ttl} SOA ${data.mname}`
  if (type === 'SRV') return `${name} ${ttl} SRV ${data.priority} ${data.weight} ${data.port} ${data.target}`
  return `${name} ${ttl} ${type} ${Object.values(data).join(' ')}`
}

function recordRow(record: ResourceRecord): string {
  if (record.type === 'SOA') return `${record.name} ${record.ttl} SOA ${record.mname}`
  return recordText(record).replace(' IN ', ' ')
}

const sorted = (rows: readonly string[]) => [...rows].sort()

function corefileOf({ config }: Group): string {
  const lines = [
    config.namespaces && `namespaces ${config.namespaces.join(' ')}`,
    config.pods && `pods ${config.pods}`,
    config.ignoreEmptyService && 'ignore empty_service',
    config.zonal && 'zonal',
    config.multicluster && `multicluster ${config.multicluster.join(' ')}`,
  ].filter((line) => typeof line === 'string')
  return `.:53 {\n  kubernetes ${config.zones.join(' ')} {\n${lines.join('\n')}\n}\n  forward . 192.0.2.53\n}\n`
}

/** Every namespace exists in those tests but two. */
function namespacesOf(group: Group): readonly unknown[] {
  const names = new Set<string>()
  for (const { query: asked } of group.cases)
    for (const label of asked.name.split('.')) if (/^[a-z0-9-]+$/.test(label)) names.add(label)
  for (const gone of ['nsnoexist', 'pod-nons', 'svc', 'pod']) names.delete(gone)
  return [...names].map((name) => ({ kind: 'Namespace', metadata: { name } }))
}

function serverOf(suite: Suite, group: Group): Server {
  const objects = [...(suite.objects[group.objects] ?? []), ...namespacesOf(group)]
  const view = dnsApiView(dnsObjects(objects), 3)
  const api = group.config.synced === false ? { ...view, synced: false } : view
  const local = (group.config.localIPs ?? ['127.0.0.1']).map(ip)
  const loaded = loadCorefile(
    { name: 'Corefile', text: corefileOf(group), folder: '/', read: () => undefined, env: new Map() },
    {
      api,
      file: () => undefined,
      addresses: () => (group.config.noReverseIndex ? [ip('127.0.0.1')] : local),
      hostname: 'coredns',
    },
  )
  if (!loaded.ok) throw new Error(loaded.reason)
  return new Server(loaded.value.listeners[0]!, {
    host: 'coredns',
    netns: 'root',
    families: [4],
    now: 0,
    draw: () => 0,
  })
}

/** The stub resolver of those tests: it answers what the case says, whatever is asked. */
function stub(one: Case, asked: Uint8Array): Uint8Array | undefined {
  const decoded = decodeMessage(asked)
  if (!decoded.ok) return undefined
  const answers = (one.upstream?.answer ?? []).flatMap((row): ResourceRecord[] =>
    row.type === 'A' ? [{ name: row.name, ttl: row.ttl, class: 'IN', type: 'A', address: ip(String(row.data)) }] : [],
  )
  const { value } = decoded
  const reply: Message = {
    ...value,
    flags: { ...value.flags, response: true, truncated: one.upstream?.truncated ?? false },
    answers,
  }
  const bytes = encodeMessage(reply)
  return bytes.ok ? bytes.value : undefined
}

function ask(server: Server, one: Case): Message {
  const bytes = encodeMessage(query(7, one.query))
  if (!bytes.ok) throw new Error(bytes.reason)
  // Over TCP: those tests look at the message before it is cut.
  const arrival = { bytes: bytes.value, client: { ip: ip('10.240.0.1'), port: 40212 }, transport: 'tcp' } as const
  const reply = answer(server, arrival, (effect) => {
    const found = stub(one, effect.bytes)
    return found ? { kind: 'reply', bytes: found } : { kind: 'timeout' }
  })
  const decoded = reply && decodeMessage(reply)
  if (!decoded?.ok) throw new Error('no reply')
  return decoded.value
}

describe.runIf(hasCases('coredns'))("CoreDNS's own tests of its kubernetes plugin", () => {
  const file = join(casesFolder('coredns'), 'kubernetes-plugin.json')
  const suite = JSON.parse(readFileSync(file, 'utf8')) as Suite
  const rows = suite.groups.flatMap((group) =>
    group.cases.map((one) => [group.test, one.query.name, one.query.type, group, one] as const),
  )

  it('has all 141', () => expect(rows).toHaveLength(141))

  it.each(rows)('%s: %s %s', (_, __, ___, group, one) => {
    const reply = ask(serverOf(suite, group), one)
    expect(rcodeName(reply.rcode)).toBe(one.rcode)
    expect(sorted(reply.authorities.map(recordRow))).toEqual(sorted(one.authority.map(rowText)))
    expect(sorted(reply.additionals.map(recordRow))).toEqual(sorted(one.additional.map(rowText)))
    expect(sorted(reply.answers.map(recordRow))).toEqual(sorted(one.answer.map(rowText)))
    expect(reply.flags.authoritative).toBe(true)
    expect(reply.flags.truncated).toBe(one.truncated)
  })
})
