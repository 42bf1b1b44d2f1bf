import type { DnsStep } from '../dns/step.ts'

/** A line for each query that a server answered: what was asked, and which plugin answered from which object. */
export function answerLog(): (step: DnsStep) => string | undefined {
  let by: Extract<DnsStep, { kind: 'dns.plugin' }> | undefined
  return (step) => {
    if (step.kind === 'dns.plugin' && step.action === 'answered') by = step
    if (step.kind === 'dns.server' && step.event === 'failed') return `${step.server} failed: ${step.text}`
    if (step.kind !== 'dns.answer' || step.server === 'upstream-dns') return undefined
    const { question, rcode, size, truncated } = step
    const plugin = by !== undefined && by.plugin === step.by && by.question.name === question.name ? by : undefined
    const line = plugin?.line === undefined ? '' : ` (${plugin.line.file}:${plugin.line.line})`
    const object = plugin?.object === undefined ? '' : `, ${plugin.object}`
    const source = plugin?.source === undefined ? '' : ` ${plugin.source}`
    return `${question.name} ${question.type} ${rcode} by ${step.by ?? 'the server itself'}${line}${object}${source}, ${size} octets${truncated ? ', truncated' : ''}`
  }
}
