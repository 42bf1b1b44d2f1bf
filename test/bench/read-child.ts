import { readInput } from '../../cli/read-input.ts'
import { load } from '../../cluster/load.ts'
import { readSnapshot } from '../../cluster/read/snapshot.ts'

/** Run in a process of its own, so that its memory is that of reading: `read-child FILE read|load`. */
const [, , path = '', what] = process.argv
const start = performance.now()
const { files } = readInput([path])
const pods = what === 'load' ? load(files).cluster.pods.length : readSnapshot(files).found.length
const milliseconds = performance.now() - start
const cpu = process.cpuUsage()
console.log(
  JSON.stringify({
    pods,
    milliseconds,
    cpuMilliseconds: (cpu.user + cpu.system) / 1000,
    megabytes: process.resourceUsage().maxRSS / 1024,
  }),
)
