import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { KernelLab } from './lab.ts'
import { type Materialised, materialise, tracedPlaces } from './materialise.ts'

/** A frame as a tap saw it. Times are nanoseconds of the wall clock. */
export interface KernelFrame {
  readonly at: number
  readonly netns: string
  readonly device: string
  readonly direction: 'rx' | 'tx'
  /** `ip`: a device without link-layer header. */
  readonly kind: 'ethernet' | 'ip'
  readonly length: number
  /** Hexadecimal; shorter than `length` where the ring's slot cut it. */
  readonly bytes: string
}

export interface KernelRuleHit {
  readonly table: string
  readonly chain: string
  /** 1-based; one above the last rule is the end of the chain. */
  readonly index: number
  readonly what: 'rule' | 'policy' | 'return'
  readonly family: 4 | 6
  readonly in: string | null
  readonly out: string | null
  readonly mark: number
  /** Empty in all but the first event of an nf_tables walk. */
  readonly packet: string
  /** Which walk through a base chain it belongs to; nf_tables only. */
  readonly walk?: string
}

export interface KernelTuple {
  readonly src: string
  readonly dst: string
  readonly protocol: number
  readonly srcPort?: number
  readonly dstPort?: number
  readonly icmpId?: number
  readonly icmpType?: number
  readonly icmpCode?: number
}

export interface KernelConntrack {
  readonly original: KernelTuple
  readonly reply: KernelTuple
  /** Bits of enum ip_conntrack_status. */
  readonly status: number
  readonly mark: number
  /** Seconds left. */
  readonly timeout: number
  readonly tcpState?: number
}

export interface KernelNeighbour {
  readonly device: string
  readonly ip: string
  readonly mac: string | null
  readonly state: string
}

export interface KernelFdb {
  readonly device: string
  readonly mac: string
  readonly dst: string | null
  readonly state: string
  readonly master: string | null
  readonly self: boolean
  readonly vlan: number
}

export interface SocketEvent {
  readonly actor: string
  readonly event: 'connected' | 'accepted' | 'data' | 'closed' | 'error' | 'close' | 'stays'
  readonly [more: string]: unknown
}

export interface ProbeAnswer {
  readonly frames: readonly KernelFrame[]
  readonly rules: Readonly<Record<string, readonly KernelRuleHit[]>>
  readonly sockets: readonly SocketEvent[]
  readonly conntrack: Readonly<Record<string, readonly KernelConntrack[]>>
  readonly neighbours: Readonly<Record<string, readonly KernelNeighbour[]>>
  readonly fdb: Readonly<Record<string, readonly KernelFdb[]>>
  /** Frames that came before the probe: noise. */
  readonly stray: number
  readonly lost: number
  readonly ms: number
}

/** A program that stands in a namespace while probes run. */
export type Actor =
  | {
      readonly program: 'listen'
      readonly name: string
      readonly netns: string
      readonly family: 4 | 6
      readonly protocol: 'tcp' | 'udp'
      readonly ip?: string
      readonly port: number
      readonly answers?: 'echo' | 'silent'
    }
  | {
      readonly program: 'flannel-udp'
      readonly name: string
      readonly netns: string
      readonly device: string
      readonly tunIp: string
      readonly ip: string
      readonly port: number
      readonly routes: readonly { readonly prefix: string; readonly via: string }[]
    }

/** One client of a probe. */
export interface Flow {
  readonly name: string
  readonly netns: string
  readonly family: 4 | 6
  readonly protocol: 'tcp' | 'udp' | 'icmp'
  readonly to: { readonly ip: string; readonly port: number }
  readonly ip?: string
  readonly port?: number
  readonly ttl?: number
  /** Messages in hexadecimal; each waits for the answer to the one before. */
  readonly sends: readonly string[]
  /** Leave the connection open after the last answer. */
  readonly stay?: boolean
}

export interface ProbeRequest {
  readonly flows: readonly Flow[]
  /** Silence that ends a flow, and the time each flow is watched at least. */
  readonly quietMs?: number
  readonly observeMs?: number
  readonly limitMs?: number
  readonly collect?: readonly string[]
}

export interface Hello {
  readonly versions: Readonly<Record<string, string>>
  readonly capabilities: Readonly<Record<string, true | string>>
}

/** The Python process that stands in the namespaces. Its requests are answered one at a time. */
export interface KernelAgent {
  hello(): Promise<Hello>
  up(lab: KernelLab, backend: Backend): Promise<LabUp>
  /** Builds a lab and puts its rounds of flows one after the other, each as if it were the first. */
  run(lab: KernelLab, backend: Backend, work: LabWork): Promise<LabDone>
  start(actor: Actor): Promise<void>
  stop(): Promise<void>
  reset(): Promise<void>
  probe(request: ProbeRequest): Promise<ProbeAnswer>
  command(argv: readonly string[]): Promise<{ status: number; stdout: string; stderr: string }>
  down(): Promise<void>
  close(): Promise<void>
}

/** Which iptables writes the rules. */
export type Backend = 'legacy' | 'nft'

export interface LabUp {
  readonly materialised: Materialised
  /** What the tools refused to do, in their words. */
  readonly refused: readonly string[]
}

/** Programs and flows by the names that the lab's namespaces really have. */
export interface LabWork {
  readonly actors: (materialised: Materialised) => readonly Actor[]
  readonly rounds: (materialised: Materialised) => readonly ProbeRequest[]
}

export interface LabDone extends LabUp {
  /** One for each round, in order; fewer where a round taught the kernel something that it cannot be made to forget. */
  readonly rounds: readonly ProbeAnswer[]
}

const AGENT = join(dirname(fileURLToPath(import.meta.url)), 'agent')

export function startAgent(): KernelAgent {
  const child = spawn('python3', ['-B', AGENT], { stdio: ['pipe', 'pipe', 'pipe'] })
  const folder = mkdtempSync(join(tmpdir(), 'kernel-lab-'))
  const ask = requests(child)
  let labs = 0
  const made = (lab: KernelLab, backend: Backend) => {
    const materialised = materialise(lab)
    // The lab before is taken down by its own files: each stands in a directory of its own.
    rmSync(join(folder, `${labs - 3}`), { recursive: true, force: true })
    const directory = join(folder, `${labs}`)
    labs += 1
    writeFiles(directory, materialised.files)
    const netns = [...materialised.places.keys(), ...materialised.switches]
    const traced = tracedPlaces(lab.hosts, materialised.places)
    const { steps, ipv6 } = materialised
    return { materialised, request: { directory, steps, netns, traced, backend, ipv6 } }
  }
  return {
    hello: async () => (await ask({ do: 'hello' })) as unknown as Hello,
    up: async (lab, backend) => {
      const { materialised, request } = made(lab, backend)
      const answer = await ask({ do: 'up', ...request })
      return { materialised, refused: answer.refused as string[] }
    },
    run: async (lab, backend, work) => {
      const { materialised, request } = made(lab, backend)
      const [actors, rounds] = [work.actors(materialised), work.rounds(materialised)]
      const answer = await ask({ do: 'run', ...request, actors, rounds })
      return { materialised, refused: answer.refused as string[], rounds: answer.rounds as ProbeAnswer[] }
    },
    start: async (actor) => void (await ask({ do: 'start', actor })),
    stop: async () => void (await ask({ do: 'stop' })),
    reset: async () => void (await ask({ do: 'reset' })),
    probe: async (request) => (await ask({ do: 'probe', ...request })) as unknown as ProbeAnswer,
    command: async (argv) =>
      (await ask({ do: 'command', argv })) as unknown as { status: number; stdout: string; stderr: string },
    down: async () => void (await ask({ do: 'down' })),
    close: async () => {
      const ended = new Promise((resolve) => child.once('close', resolve))
      child.stdin.end()
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Writes files of texts under a directory. */
export function writeFiles(directory: string, files: ReadonlyMap<string, string>): void {
  for (const [path, text] of files) {
    const file = join(directory, path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text, { mode: path.endsWith('.sh') ? 0o755 : 0o644 })
  }
}

type Answer = Readonly<Record<string, unknown>>

function requests(child: ChildProcessWithoutNullStreams): (request: object) => Promise<Answer> {
  const waiting = new Map<number, { resolve: (answer: Answer) => void; reject: (error: Error) => void }>()
  let words = ''
  let asked = 0
  child.stderr.on('data', (data) => {
    words += data
  })
  createInterface({ input: child.stdout }).on('line', (line) => {
    const answer = JSON.parse(line) as Answer & { id: number; ok: boolean; error?: string; trace?: string }
    const one = waiting.get(answer.id)
    waiting.delete(answer.id)
    if (answer.ok) one?.resolve(answer)
    else one?.reject(new Error(`${answer.error}\n${answer.trace}`))
  })
  child.once('close', (code) => {
    for (const one of waiting.values()) one.reject(new Error(`the agent ended with ${code}: ${words}`))
    waiting.clear()
  })
  return (request) =>
    new Promise((resolve, reject) => {
      asked += 1
      waiting.set(asked, { resolve, reject })
      child.stdin.write(`${JSON.stringify({ id: asked, ...request })}\n`)
    })
}
