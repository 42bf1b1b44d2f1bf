import { type ChildProcess, spawn } from 'node:child_process'
import { createSocket, type Socket } from 'node:dgram'
import { readFileSync } from 'node:fs'

/** What a DNS server that runs as a process of its own takes of the processor for each answer, over UDP. */
export interface ServerLoad {
  readonly answers: number
  /** Of the server's own processor time, user and system. */
  readonly perCpuSecond: number
}

export interface LoadOptions {
  readonly command: readonly string[]
  readonly query: Uint8Array
  readonly seconds: number
  /** Queries under way at once. */
  readonly window: number
}

/** Starts the server, waits until it says `ready`, and asks as fast as it answers. */
export async function loadServer({ command, query, seconds, window }: LoadOptions): Promise<ServerLoad> {
  const [program = '', ...args] = command
  const server = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    const port = await portOf(server)
    await ask(port, { query, window, milliseconds: 1000 })
    const before = cpuSeconds(server.pid)
    const answers = await ask(port, { query, window, milliseconds: seconds * 1000 })
    return { answers, perCpuSecond: Math.round(answers / (cpuSeconds(server.pid) - before)) }
  } finally {
    server.kill()
  }
}

function portOf(server: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    let said = ''
    server.stdout?.on('data', (bytes: Buffer) => {
      said += bytes.toString()
      const port = /^ready: .* -p (\d+)/m.exec(said)?.[1]
      if (port !== undefined) resolve(Number(port))
    })
    server.on('exit', (code) => reject(new Error(`the server ended with ${code}`)))
  })
}

interface Asking {
  readonly query: Uint8Array
  readonly window: number
  readonly milliseconds: number
}

/** Four clients, as dnsperf -c 4; each answer brings the next query. Counts the answers. */
async function ask(port: number, { query, window, milliseconds }: Asking): Promise<number> {
  let answers = 0
  let over = false
  const sockets = await Promise.all(Array.from({ length: CLIENTS }, connected))
  const send = (socket: Socket): void => socket.send(query)
  for (const socket of sockets) {
    socket.on('message', () => {
      answers++
      if (!over) send(socket)
    })
    for (let i = 0; i < window / CLIENTS; i++) send(socket)
  }
  await new Promise((resolve) => setTimeout(resolve, milliseconds))
  over = true
  for (const socket of sockets) socket.close()
  return answers

  function connected(): Promise<Socket> {
    return new Promise((resolve) => {
      const socket = createSocket('udp4')
      socket.connect(port, '127.0.0.1', () => resolve(socket))
    })
  }
}

const CLIENTS = 4

/** proc(5): utime and stime, in ticks of a hundredth of a second. */
function cpuSeconds(pid: number | undefined): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}
