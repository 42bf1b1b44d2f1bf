import { type Parsed, parsed } from '../../packet/parsed.ts'
import type { CorefileSource } from './corefile/parser.ts'
import { loadCorefile, type NotModelled } from './load.ts'
import type { World } from './plugin.ts'
import { Server, type Surroundings } from './server.ts'

/** CoreDNS without a network of its own: whoever holds it hands in messages and moves the clock. */
export interface StandingServers {
  /** One per port of the Corefile. */
  readonly servers: readonly Server[]
  /** `now` is the clock, in nanoseconds. */
  readonly around: Surroundings
  readonly notModelled: readonly NotModelled[]
}

export interface StandingSetup {
  readonly corefile: { readonly name: string; readonly text: string; readonly folder: string }
  readonly world: World
  readonly env?: ReadonlyMap<string, string>
  readonly glob?: CorefileSource['glob']
  readonly draw: Surroundings['draw']
  readonly notes?: 'unwanted'
}

/** Sets up the servers of a Corefile; refused in CoreDNS's own words where it would not start. */
export function standingServers(setup: StandingSetup): Parsed<StandingServers> {
  const { corefile, world, env = new Map(), glob, draw, notes } = setup
  const source = { ...corefile, read: world.file, env, ...(glob && { glob }) }
  const loaded = loadCorefile(source, world)
  if (!loaded.ok) return loaded
  const families = [...new Set(world.addresses().map((address) => address.family))].sort()
  const around: Surroundings = { host: world.hostname, netns: '', families, now: 0, draw, ...(notes && { notes }) }
  const servers = loaded.value.listeners.map((listener) => new Server(listener, around))
  return parsed({ servers, around, notModelled: loaded.value.notModelled })
}
