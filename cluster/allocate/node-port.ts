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
  const size = NODE_PORTS.last - NODE_PORTS.first + 1
  const start = STATIC_BAND + (fnv1a(name) % (size - STATIC_BAND))
  for (let i = 0; i < size; i++) {
    const port = NODE_PORTS.first + ((start + i) % size)
    if (!isTaken(port)) return port
  }
  return undefined
}
