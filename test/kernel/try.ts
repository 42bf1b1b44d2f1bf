import { mkdirSync, writeFileSync } from 'node:fs'
import { startAgent } from './agent.ts'
import { emitCase } from './case-file.ts'
import { runInKernel } from './record.ts'
import { SCENARIOS } from './scenario/all.ts'
import { truthOf } from './truth.ts'

const agent = startAgent()
const backend = process.argv.includes('--nft') ? 'nft' : 'legacy'
const { versions } = await agent.hello()
const wanted = process.argv.slice(2).filter((one) => !one.startsWith('--'))
const out = process.env['OUT'] ?? '/tmp/kcases'
mkdirSync(out, { recursive: true })
for (const scenario of SCENARIOS.filter(
  (one) => wanted.length === 0 || wanted.some((part) => one.name.includes(part)),
)) {
  const run = await runInKernel(agent, scenario, backend)
  const kernel = truthOf(run)
  console.log(
    `== ${scenario.name} ${run.answer.ms} ms, stray ${run.answer.stray} lost ${run.answer.lost}`,
    ...run.refused,
  )
  if (process.argv.includes('--show')) {
    for (const one of kernel.frames) console.log(`${one.ms} [${one.seen.join(', ')}] ${one.text}`)
    for (const event of kernel.sockets) console.log('   ', JSON.stringify(event))
    for (const [name, hits] of Object.entries(kernel.rules))
      for (const hit of hits) console.log('   ', name, hit.in, hit.out, hit.mark, hit.rules.join(' '), '|', hit.text)
    for (const key of ['conntrack', 'neighbours'] as const)
      for (const [name, table] of Object.entries(kernel[key]))
        for (const entry of table) console.log('   ', key, name, JSON.stringify(entry))
  }
  writeFileSync(
    `${out}/${scenario.name}.json`,
    emitCase({ recorded: { ...versions, backend }, scenario: { ...scenario }, kernel }),
  )
}
await agent.close()
