import { withoutFinalDot } from '../name.ts'

/** A name as tools print it: without the final dot, the root as one (ns_name_ntop, dns_name_format). */
export const nameText = (name: string): string => (name === '.' ? '.' : withoutFinalDot(name))
