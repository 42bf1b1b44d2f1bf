import type { Origin } from '../linux/origin.ts'

/** `by kube-proxy for Service default/my-nginx, services.yaml:12`. */
export function originText(origin: Origin): string {
  const forWhom = origin.for === undefined ? '' : ` for ${origin.for}`
  const source = origin.source === undefined ? '' : `, ${origin.source}`
  return `by ${origin.by}${forWhom}${source}`
}
