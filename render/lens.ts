import type { Origin } from '../linux/origin.ts'
import { originText } from './origin-text.ts'

/** Which entries of a machine are shown, and whether each says who put it there. */
export interface Lens {
  readonly keeps: (origin: Origin) => boolean
  /** The entry's line, with its origin behind where that is asked for. */
  readonly line: (text: string, origin: Origin) => string
  /** Nothing is left out. */
  readonly whole: boolean
  /** Each entry says who put it there. */
  readonly tells: boolean
}

export interface LensOptions {
  /** `namespace/name` of the Service whose entries alone are shown. */
  readonly service?: string
  readonly origin?: boolean
}

export function lensOf({ service, origin }: LensOptions): Lens {
  const wanted = `Service ${service} `
  return {
    keeps: (entry) => service === undefined || `${entry.for ?? ''} `.startsWith(wanted),
    line: origin === true ? (text, entry) => `${text}  # ${originText(entry)}` : (text) => text,
    whole: service === undefined,
    tells: origin === true,
  }
}

export const WHOLE = lensOf({})
