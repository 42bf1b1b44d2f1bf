import { type Parsed, parsed, refused } from '../../../../packet/parsed.ts'
import { compareNames, fqdn, labelsOf, lowerName } from '../../../name.ts'
import { type ResourceRecord, typeOf } from '../../../record.ts'
import { parseZoneFile } from '../../../zone-file/parser.ts'

/** A zone as the file plugin holds it: plugin/file/zone.go, with the tree as a map by name. */
export interface ZoneData {
  readonly origin: string
  /** Undefined: nothing could be read, and every query fails. */
  readonly soa: (ResourceRecord & { readonly type: 'SOA' }) | undefined
  /** NS records of the zone itself; those of other names are delegations. */
  readonly ns: readonly ResourceRecord[]
  /** By owner in lower case, then by type. The SOA and NS records of the zone itself are not in here. */
  readonly names: ReadonlyMap<string, ReadonlyMap<string, readonly ResourceRecord[]>>
  /** Names that have others below them. */
  readonly parents: ReadonlySet<string>
}

export const emptyZone = (origin: string): ZoneData => ({
  origin,
  soa: undefined,
  ns: [],
  names: new Map(),
  parents: new Set(),
})

export interface ReadZone {
  readonly zone: ZoneData
  readonly notModelled: readonly string[]
}

/** Reads a zone file; refused in CoreDNS's words. */
export function readZone(
  text: string,
  {
    origin,
    file,
    read,
  }: { readonly origin: string; readonly file: string; readonly read: (path: string) => string | undefined },
): Parsed<ReadZone> {
  const source = parseZoneFile({ text, file, origin: fqdn(origin), read })
  // Records before a fault are put in first, and may fail before it does.
  if (!source.ok)
    return refused(`failed to parse file ${JSON.stringify(file)} for origin ${origin} with error ${source.reason}`)
  const zone = zoneOf(source.value.records, { origin, file })
  return zone.ok ? parsed({ zone: zone.value, notModelled: source.value.notModelled }) : zone
}

function zoneOf(
  records: readonly ResourceRecord[],
  { origin, file }: { readonly origin: string; readonly file: string },
): Parsed<ZoneData> {
  let soa: ZoneData['soa']
  const ns: ResourceRecord[] = []
  const names = new Map<string, Map<string, ResourceRecord[]>>()
  for (const record of records) {
    const owner = lowerName(record.name)
    const own = inLowerCase(record)
    if (own.type === 'SOA') {
      if (owner !== lowerName(origin))
        return refused(`file ${JSON.stringify(file)} has SOA owner ${record.name} that does not match origin ${origin}`)
      soa = own
    } else if (own.type === 'NS' && owner === origin) ns.push(own)
    else {
      const types = names.get(owner) ?? new Map<string, ResourceRecord[]>()
      names.set(owner, types)
      const type = typeOf(own)
      types.set(type, [...(types.get(type) ?? []), own])
    }
  }
  if (!soa) return refused(`file ${JSON.stringify(file)} has no SOA record for origin ${origin}`)
  return parsed({ origin, soa, ns, names, parents: parentsOf(names.keys()) })
}

function parentsOf(names: Iterable<string>): ReadonlySet<string> {
  const parents = new Set<string>()
  for (const name of names) {
    const labels = labelsOf(name)
    for (let i = 1; i < labels.length; i++) parents.add(`${labels.slice(i).join('.')}.`)
  }
  return parents
}

/** Owners and targets in lower case, but for those of SRV (Zone.Insert). */
function inLowerCase(record: ResourceRecord): ResourceRecord {
  switch (record.type) {
    case 'SRV':
      return record
    case 'NS':
    case 'CNAME':
      return { ...record, name: lowerName(record.name), target: lowerName(record.target) }
    case 'MX':
      return { ...record, name: lowerName(record.name), exchange: lowerName(record.exchange) }
    case 'SOA':
      return {
        ...record,
        name: lowerName(record.name),
        mname: lowerName(record.mname),
        rname: lowerName(record.rname),
      }
    default:
      return { ...record, name: lowerName(record.name) }
  }
}

/** All records, the SOA first and last, as a transfer sends them; only the SOA to one who has this serial. */
export function transferOf({ soa, ns, names }: ZoneData, serial: number): readonly ResourceRecord[] | undefined {
  if (!soa) return undefined
  if (serial !== 0 && soa.serial === serial) return [soa]
  const all = [...names].sort(([a], [b]) => compareNames(a, b)).flatMap(([, types]) => [...types.values()].flat())
  return [soa, ...ns, ...all, soa]
}
