import { corefileCorpus, loadMutatedCorefile } from './dns-corefiles.ts'
import { askPacket, fuzzedServer } from './dns-packets.ts'

/** `tsx test/fuzz/dns-main.ts [PACKETS [COREFILES [FIRST]]]`: none may throw, or take more than two seconds of the processor. */
const [packets = 200_000, corefiles = 50_000, first = 0] = process.argv.slice(2).map(Number)

const SLOW_MS = 2000
const findings: string[] = []

function each(what: string, count: number, one: (seed: number) => void): void {
  const begun = performance.now()
  for (let seed = first; seed < first + count; seed++) {
    const start = process.cpuUsage()
    try {
      one(seed)
    } catch (error) {
      findings.push(`${what} ${seed}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
    }
    const { user, system } = process.cpuUsage(start)
    const took = (user + system) / 1000
    if (took > SLOW_MS) findings.push(`${what} ${seed} took ${Math.round(took)} ms`)
  }
  console.log(`${count} ${what}s in ${Math.round((performance.now() - begun) / 1000)} s, ${findings.length} findings`)
}

const server = fuzzedServer()
each('packet', packets, (seed) => askPacket(server, seed))
const corpus = corefileCorpus()
each('Corefile', corefiles, (seed) => loadMutatedCorefile(corpus, seed))
for (const finding of findings.slice(0, 50)) console.error(finding)
process.exitCode = findings.length === 0 ? 0 : 1
