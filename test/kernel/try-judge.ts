import { readdirSync, readFileSync } from 'node:fs'
import { parseCase } from './case-file.ts'
import { observedText } from './compare.ts'
import { judge } from './judge.ts'

const folder = 'test/cases/kernel'
const wanted = process.argv.slice(2).filter((one) => !one.startsWith('--'))
let same = 0
let all = 0
for (const file of readdirSync(folder).sort()) {
  if (!file.endsWith('.json') || (wanted.length > 0 && !wanted.some((part) => file.includes(part)))) continue
  const one = parseCase(readFileSync(`${folder}/${file}`, 'utf8'))
  all++
  try {
    const judged = judge(one.scenario, one.kernel)
    if (judged.differences.length === 0) {
      same++
      console.log(
        `same  ${file} frames ${judged.compared.frames} rules ${judged.compared.rules} fed ${judged.fed}`,
        [...judged.exceptions].join(' '),
      )
      continue
    }
    console.log(`DIFF  ${file} ${judged.differences.length} differences, fed ${judged.fed}`)
    const max = process.argv.includes('--all') ? 1000 : 3
    for (const difference of judged.differences.slice(0, max))
      console.log(
        `   ${difference.what} ${difference.where} #${difference.index}\n      ours   ${difference.ours}\n      kernel ${difference.kernel}`,
      )
    if (process.argv.includes('--frames')) {
      for (let i = 0; i < Math.max(judged.ours.frames.length, judged.kernel.frames.length); i++) {
        console.log(`${i} ours   ${observedText(judged.ours.frames[i])}`)
        console.log(`${i} kernel ${observedText(judged.kernel.frames[i])}`)
      }
    }
  } catch (error) {
    console.log(`ERROR ${file} ${(error as Error).stack?.split('\n').slice(0, 4).join(' | ')}`)
  }
}
console.log(`${same} of ${all} same`)
