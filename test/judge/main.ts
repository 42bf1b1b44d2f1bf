import { existsSync } from 'node:fs'
import { controllersJudge } from './controllers.ts'
import { corednsJudge } from './coredns.ts'
import type { Judge } from './judge.ts'
import { kubeProxyJudge } from './kube-proxy.ts'
import { netpolJudge } from './netpol.ts'
import { resolversJudge } from './resolvers.ts'

/** `npm run judge -- NAME CASES_DIR OUT_DIR`. A new judge is a module and a line here. */
const judges: Readonly<Record<string, Judge>> = {
  controllers: controllersJudge,
  coredns: corednsJudge,
  'kube-proxy': kubeProxyJudge,
  resolvers: resolversJudge,
  netpol: netpolJudge,
}

function main(args: readonly string[]): number {
  const [name, cases, out] = args
  if (name === undefined || cases === undefined || out === undefined || args.length !== 3) {
    console.error(`usage: npm run judge -- NAME CASES_DIR OUT_DIR\nNAME is one of: ${Object.keys(judges).join(', ')}`)
    return 64
  }
  const judge = Object.hasOwn(judges, name) ? judges[name] : undefined
  if (judge === undefined) {
    console.error(`error: there is no judge "${name}"; known: ${Object.keys(judges).join(', ')}`)
    return 64
  }
  if (!existsSync(cases)) {
    console.error(`error: ${cases} does not exist`)
    return 66
  }
  const { written, skipped } = judge({ cases, out })
  for (const [reason, count] of countBy(skipped.map((one) => one.reason))) console.log(`skipped ${count}: ${reason}`)
  console.log(`${name}: ${written} results in ${out}`)
  return 0
}

function countBy(texts: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1)
  return counts
}

process.exitCode = main(process.argv.slice(2))
