import { parseIp } from '../../../packet/ip.ts'
import { parsed } from '../../../packet/parsed.ts'
import type { CorefileError } from '../corefile/dispenser.ts'
import { goDuration, goInteger } from '../go-number.ts'
import { type Controller, type Plugin, passThrough, pluginError } from '../plugin.ts'

/**
 * Directives about the process that change no reply of an emulated server: deadlines, profiles, sockets, where relative
 * paths begin. They are read for their errors.
 */

type Problem = CorefileError | string | undefined

const directive = (name: string, problem: (controller: Controller) => Problem, how?: 'inChain'): Plugin => ({
  name,
  setup(controller) {
    const error = problem(controller)
    if (error !== undefined) return pluginError(name, error)
    return parsed(how === 'inChain' ? [passThrough(name, controller.line)] : [])
  },
})

/** reload [INTERVAL] [JITTER]: an emulated Corefile does not change. */
export const reload = directive('reload', ({ words }) => {
  words.next()
  const args = words.remaining()
  if (args.length > 2) return words.argumentError()
  const [interval, jitter] = args.map(goDuration)
  if (interval && !interval.ok) return interval.reason
  if (interval && interval.value < 2) return 'interval value must be greater or equal to 2s'
  if (jitter && !jitter.ok) return jitter.reason
  if (jitter && jitter.value !== 0 && jitter.value < 1) return 'jitter value must be 0 or greater or equal to 1s'
  return undefined
})

/** cancel [TIMEOUT] */
export const cancel = directive(
  'cancel',
  ({ words }) => {
    while (words.next()) {
      const [text, ...more] = words.remaining()
      if (more.length > 0) return words.argumentError()
      if (text === undefined) continue
      const seconds = goDuration(text)
      if (!seconds.ok) return `invalid duration: ${JSON.stringify(text)}`
      if (seconds.value <= 0) return `invalid negative duration: ${JSON.stringify(text)}`
    }
    return undefined
  },
  'inChain',
)

/** debug */
export const debug = directive('debug', ({ words }) => {
  while (words.next()) if (words.nextArgument()) return words.argumentError()
  return undefined
})

/** root FOLDER: where relative paths begin; read by the loader. */
export const root = directive('root', ({ words }) => {
  while (words.next()) if (!words.nextArgument()) return words.argumentError()
  return undefined
})

/** Interfaces of a pod. */
const INTERFACES = ['lo', 'eth0']

/** bind ADDRESS|INTERFACE... { except ... }: the emulated server listens on all addresses. */
export const bind = directive('bind', (controller) => {
  const { words } = controller
  const check = (hosts: readonly string[]): Problem => {
    const wrong = hosts.find((host) => !INTERFACES.includes(host) && !parseIp(host).ok)
    return wrong === undefined ? undefined : `not a valid IP address or interface name: ${JSON.stringify(wrong)}`
  }
  while (words.next()) {
    const hosts = words.remaining()
    if (hosts.length === 0) return 'at least one address or interface name is expected'
    let except: readonly string[] = []
    while (words.nextInBlock()) {
      if (words.word() !== 'except') return `invalid option ${JSON.stringify(words.word())}`
      except = words.remaining()
      if (except.length === 0) return 'at least one address or interface must be given to except subdirective'
    }
    const error = check(hosts) ?? check(except)
    if (error !== undefined) return error
  }
  controller.notModelled('plugin bind')
  return undefined
})

/** Most sockets of one listener (plugin/multisocket). */
const MAX_SOCKETS = 1024

/** multisocket [NUMBER] */
export const multisocket = directive('multisocket', ({ words }) => {
  words.next()
  const args = words.remaining()
  if (args.length > 1 || words.next()) return words.argumentError()
  const number = args[0] === undefined ? undefined : goInteger(args[0])
  if (!number) return undefined
  if (!number.ok) return `invalid num sockets: ${number.reason}`
  if (number.value < 1) return `num sockets can not be zero or negative: ${number.value}`
  return number.value > MAX_SOCKETS ? `num sockets exceeds maximum (${MAX_SOCKETS}): ${number.value}` : undefined
})

/** timeouts { read|write|idle DURATION; maxtcpqueries NUMBER }. */
export const timeouts: Plugin = {
  name: 'timeouts',
  setup({ words }) {
    // Some of its errors carry the plugin's name twice.
    const twice = (error: CorefileError) => pluginError('timeouts', `plugin/timeouts: ${error.message}`)
    while (words.next()) {
      if (words.remaining().length > 0) return twice(words.argumentError())
      let count = 0
      for (; words.nextInBlock(); count++) {
        const property = words.word()
        const [text, ...more] = words.remaining()
        if (text === undefined || more.length > 0) return pluginError('timeouts', words.argumentError())
        const error = property === 'maxtcpqueries' ? queriesProblem(words, text) : timeoutProblem(words, property, text)
        if (error) return pluginError('timeouts', error)
      }
      if (count === 0) return twice(words.error('timeouts block with no timeouts specified'))
    }
    return parsed([])
  },
}

function queriesProblem(words: Controller['words'], text: string): CorefileError | undefined {
  const number = goInteger(text)
  if (!number.ok) return words.error(`invalid value for maxtcpqueries '${text}': ${number.reason}`)
  if (number.value !== 0 && number.value >= -1) return undefined
  return words.error(`maxtcpqueries provided '${number.value}' needs to be -1 (unlimited) or a positive integer`)
}

const DAY = 86_400

function timeoutProblem(words: Controller['words'], property: string, text: string): CorefileError | undefined {
  const seconds = goDuration(goInteger(text).ok ? `${text}s` : text)
  if (!seconds.ok) return words.error(`failed to parse duration '${text}'`)
  if (seconds.value < 1 || seconds.value > DAY)
    return words.error(`timeout provided '${seconds.value}s' needs to be between 1 second and 24 hours`)
  return ['read', 'write', 'idle'].includes(property) ? undefined : words.error(`unknown option: '${property}'`)
}

/** trace: spans for a tracing server, of which nothing is emulated. */
export const trace = directive('trace', (controller) => {
  controller.notModelled('plugin trace')
  return undefined
})
