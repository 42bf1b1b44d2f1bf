/** Processor time that a call takes, its garbage collection included: a busy machine does not make it longer. */
export function cpuMilliseconds(call: () => unknown): number {
  const start = process.cpuUsage()
  call()
  const { user, system } = process.cpuUsage(start)
  return (user + system) / 1000
}
