import { spawn, spawnSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { decodeMessage } from '../../dns/message-decode.ts'
import { encodeMessage } from '../../dns/message-encode.ts'
import { framed, unframed } from '../../dns/stream.ts'
import { appended } from '../../packet/octets.ts'
import { answererOf } from './behaviours.ts'
import type { RealRun, RealSeen, RealTask } from './real-run.ts'
import type { Answerer } from './scripted-server.ts'

/**
 * Runs real programs against DNS servers that answer as told. It is started in network and mount namespaces of its own
 * (`unshare -n -m`), with a file of tasks and a file for what came of them; the files of /etc are bound over there.
 */
const [, , tasksFile = '', runsFile = ''] = process.argv
const tasks = JSON.parse(readFileSync(tasksFile, 'utf8')) as readonly RealTask[]
const HELD_BACK_MS = 8
/** A program that takes longer is killed. */
const PATIENCE_MS = 45_000

for (const command of [
  ['ip', 'link', 'set', 'lo', 'up'],
  ...['resolv.conf', 'hosts', 'nsswitch.conf'].map((file) => {
    writeFileSync(`${runsFile}.${file}`, '')
    return ['mount', '--bind', `${runsFile}.${file}`, `/etc/${file}`]
  }),
]) {
  const { status, stderr } = spawnSync(command[0] ?? '', command.slice(1))
  if (status !== 0) throw new Error(`${command.join(' ')}: ${stderr}`)
}

const answerers = new Map<string, Answerer>()
let seen: RealSeen[] = []
const addresses = [...new Set(tasks.flatMap(({ servers }) => servers.map(({ address }) => address)))]

function handle(bytes: Uint8Array, from: Omit<RealSeen, 'atMs' | 'answeredAtMs' | 'hex'>): Uint8Array | undefined {
  const query = decodeMessage(bytes)
  const reply = query.ok ? answerers.get(from.server)?.(query.value, from.transport) : undefined
  const encoded = reply && encodeMessage(reply)
  const atMs = performance.now()
  const hex = Buffer.from(bytes).toString('hex')
  seen.push({ ...from, atMs, hex, ...(encoded?.ok && { answeredAtMs: atMs + HELD_BACK_MS }) })
  return encoded?.ok ? encoded.value : undefined
}

for (const server of addresses) {
  const udp = createSocket('udp4')
  udp.on('message', (bytes, { port, address }) => {
    const reply = answerers.has(server) ? handle(bytes, { server, port, transport: 'udp' }) : undefined
    if (reply) setTimeout(() => udp.send(reply, port, address), HELD_BACK_MS)
  })
  await new Promise<void>((done) => udp.bind(53, server, done))
  const tcp = createServer((socket) => {
    let stream: Uint8Array = new Uint8Array(0)
    const port = socket.remotePort ?? 0
    socket.on('error', () => undefined)
    socket.on('data', (bytes) => {
      const { messages, rest } = unframed(appended(stream, bytes))
      stream = rest.slice()
      for (const message of messages) {
        const reply = handle(message, { server, port, transport: 'tcp' })
        if (reply) setTimeout(() => socket.write(framed(reply)), HELD_BACK_MS)
      }
    })
  })
  await new Promise<void>((done) => tcp.listen(53, server, done))
}

const runs: RealRun[] = []
for (const task of tasks) {
  seen = []
  answerers.clear()
  for (const { address, ...server } of task.servers) answerers.set(address, answererOf(server))
  for (const [file, text] of Object.entries(task.files)) writeFileSync(`/etc/${file}`, text)
  runs.push({ ...(await run(task.command)), seen })
}
writeFileSync(runsFile, JSON.stringify(runs))
process.exit(0)

function run([program = '', ...args]: readonly string[]): Promise<Omit<RealRun, 'seen'>> {
  return new Promise((done) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: PATIENCE_MS })
    const text = { stdout: '', stderr: '' }
    child.stdout.on('data', (bytes) => {
      text.stdout += bytes
    })
    child.stderr.on('data', (bytes) => {
      text.stderr += bytes
    })
    child.on('close', (code) => done({ ...text, code: code ?? -1 }))
    child.on('error', () => done({ ...text, code: -1 }))
  })
}
