import { inBands } from './bands.ts'
import { fnv1a } from './fnv.ts'

/** `--service-node-port-range` of the API server. */
export const NODE_PORTS = { first: 30_000, last: 32_767 } as const

/** Ports that the API server leaves for people to choose: the lower band of the range (KEP-3668). */
const STATIC_BAND = 86

/**
 * A nodePort for a port of a Service. The API server draws it at random; here the name decides the place. Undefined
 * when all are taken.
 */
export function nodePortFor(name: string, isTaken: (port: number) => boolean): number | undefined {
  const { first, last } = NODE_PORTS
  for (const port of inBands({ first, last, band: first + STATIC_BAND, start: fnv1a(name) }))
    if (!isTaken(port)) return port
  return undefined
}
