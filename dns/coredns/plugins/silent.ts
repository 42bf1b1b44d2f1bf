import { parsed } from '../../../packet/parsed.ts'
import { type Plugin, passThrough } from '../plugin.ts'

/**
 * Directives that change no answer of an emulated server: deadlines of the process, its profile, where relative paths
 * begin. They are taken as they stand.
 */
const silent = (name: string): Plugin => ({ name, setup: () => parsed([]) })

/** One that stands in the chain all the same: a server block of nothing else is not empty. */
const passing = (name: string): Plugin => ({ name, setup: ({ line }) => parsed([passThrough(name, line)]) })

export const cancel = passing('cancel')
export const debug = silent('debug')
export const metadata = passing('metadata')
export const multisocket = silent('multisocket')
export const pprof = silent('pprof')
export const timeouts = silent('timeouts')
export const trace = silent('trace')
