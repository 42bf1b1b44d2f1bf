import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { machineOnCable } from './machine.ts'
import type { Plan, Recorded } from './session.ts'

const RIG = new URL('rig.py', import.meta.url).pathname
/** Nothing has come for so long, in milliseconds: time may pass for our machine. */
const QUIET = 300
/** And this long it then passes: over the delay of an acknowledgement. */
const STEP = 250_000_000
const STEPS = 3

/** Plays a plan against the real kernel and the real stack; root alone can. */
export async function record(plan: Plan): Promise<{ readonly recorded: Recorded; readonly told: readonly string[] }> {
  const directory = mkdtempSync(join(tmpdir(), 'sctp-'))
  const rules = join(directory, 'rules')
  writeFileSync(rules, plan.rules)
  const rig = spawn('python3', [RIG, String(plan.family), rules, ...plan.program], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const cable: Recorded['cable'][number][] = []
  const machine = machineOnCable(plan.family, (frame) => {
    const hex = Buffer.from(frame).toString('hex')
    cable.push({ out: hex })
    rig.stdin.write(`F ${hex}\n`)
  })
  try {
    return await new Promise((resolve, reject) => {
      let steps = 0
      let quiet: NodeJS.Timeout | undefined
      const wait = (): void => {
        clearTimeout(quiet)
        quiet = setTimeout(() => {
          if (steps === 0 && plan.typed !== undefined) rig.stdin.write(`T ${Buffer.from(plan.typed).toString('hex')}\n`)
          if (steps === 1 && plan.typed !== undefined) rig.stdin.write('Q\n')
          if (steps++ === STEPS) return rig.stdin.write('END\n')
          cable.push({ passNs: STEP })
          machine.pass(STEP)
          wait()
        }, QUIET)
      }
      rig.on('error', reject)
      rig.on('exit', () => reject(new Error('the rig has ended')))
      createInterface({ input: rig.stdout }).on('line', (line) => {
        if (line === 'READY') machine.start(plan.calls, plan.on)
        if (line.startsWith('F ')) {
          cable.push({ in: line.slice(2) })
          machine.arrive(Buffer.from(line.slice(2), 'hex'))
        }
        if (line.startsWith('R ')) {
          const { seen, conntrack } = JSON.parse(line.slice(2))
          const router = (seen as Recorded['router']).map(({ link, out, frame }) => ({ link, out, frame }))
          return resolve({ recorded: { cable, router, conntrack }, told: machine.told })
        }
        wait()
      })
    })
  } finally {
    rmSync(directory, { recursive: true })
  }
}
