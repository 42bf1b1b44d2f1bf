import { recordText } from '../dns/record-text.ts'
import type { ServedZone } from '../engine/served-zone.ts'

/** Records as a zone file has them, one a line; what no list holds stands as comments behind (RFC 1035 §5.1). */
export function zoneLines({ records, unlisted }: ServedZone, { origin = false } = {}): readonly string[] {
  const lines = records.map(({ record, by }) => {
    const from = [by?.object, by?.source].filter((part) => part !== undefined).join(' ')
    return `${recordText(record)}${origin && from !== '' ? ` ; ${from}` : ''}`
  })
  if (unlisted.length === 0) return lines
  return [...lines, '; answered too, and not listed:', ...unlisted.map((text) => `;   ${text}`)]
}
