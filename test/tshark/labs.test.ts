import { describe, expect, test } from 'vitest'
import { captureOf, capturePoints } from '../../render/capture.ts'
import { type CaptureInterface, type CapturePacket, renderPcapng } from '../../render/pcapng.ts'
import { LAB_NAMES, labWalks } from '../labs.ts'
import { complaintsOf, type DissectOptions, dissect, rightChecksums, tsharkVersion } from './tshark.ts'

/** Every frame of every question of every lab, as Wireshark sees it: one capture file for each lab. */

const version = tsharkVersion()
if (version === undefined && process.env.CI)
  throw new Error('tshark is not installed, and CI must not skip its verdict')

const OPTIONS: DissectOptions = { depth: 'everything', fragments: 'alone' }

function captureOfLab(lab: string): { readonly file: Uint8Array; readonly packets: number } {
  const interfaces: CaptureInterface[] = []
  const packets: CapturePacket[] = []
  for (const { answer } of labWalks(lab)) {
    const capture = captureOf(answer, { at: capturePoints(answer), names: [] })
    for (const packet of capture.packets) packets.push({ ...packet, interface: packet.interface + interfaces.length })
    interfaces.push(...capture.interfaces)
  }
  return { file: renderPcapng({ interfaces, packets, names: [] }), packets: packets.length }
}

describe.skipIf(version === undefined)(`${version}`, () => {
  test.each(LAB_NAMES)('finds nothing wrong in %s', { timeout: 120_000 }, (lab) => {
    const { file, packets } = captureOfLab(lab)
    expect(packets).toBeGreaterThan(500)
    expect(complaintsOf(file, OPTIONS)).toEqual([])
    expect(rightChecksums(file, OPTIONS).ip).toBeGreaterThan(packets / 2)
    const asked = dissect(file, ['dns.qry.name'], OPTIONS).flatMap((row) => row['dns.qry.name'] ?? [])
    expect(asked).toContain('my-nginx.default.svc.cluster.local')
  })
})
