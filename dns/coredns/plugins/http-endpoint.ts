import { type Parsed, parsed } from '../../../packet/parsed.ts'
import type { CorefileError } from '../corefile/dispenser.ts'
import { goDuration, goInteger } from '../go-number.ts'
import { type Controller, type Plugin, passThrough, pluginError } from '../plugin.ts'

/**
 * Plugins that serve HTTP beside DNS and change no reply: they are read for their errors, and what they would serve is
 * said not to be emulated.
 */

type Problem = CorefileError | string | undefined

interface Endpoint {
  readonly name: string
  readonly usual: string
  /** It may stand in a block once. */
  readonly once: boolean
  /** A link of the chain. */
  readonly inChain: boolean
  property(words: Controller['words']): Problem
}

/** health [ADDRESS] { lameduck DURATION } */
export const health = endpoint({
  name: 'health',
  usual: ':8080',
  once: false,
  inChain: false,
  property(words) {
    if (words.word() !== 'lameduck') return words.error(`unknown property '${words.word()}'`)
    const [text, ...more] = words.remaining()
    if (text === undefined || more.length > 0) return words.argumentError()
    const seconds = goDuration(text)
    return seconds.ok ? undefined : `unable to parse lameduck duration value: '${text}' : ${seconds.reason}`
  },
})

/** ready [ADDRESS] { monitor until-ready|continuously } */
export const ready = endpoint({
  name: 'ready',
  usual: ':8181',
  once: true,
  inChain: false,
  property(words) {
    if (words.word() !== 'monitor') return words.error(`unknown property '${words.word()}'`)
    const [type, ...more] = words.remaining()
    if (type === undefined || more.length > 0) return words.argumentError()
    if (type === 'until-ready' || type === 'continuously') return undefined
    return words.error(`monitor type '${type}' not supported`)
  },
})

/** prometheus [ADDRESS] { runtime_metrics; tls FILE } */
export const prometheus = endpoint({
  name: 'prometheus',
  usual: 'localhost:9153',
  once: true,
  inChain: true,
  property(words) {
    const property = words.word()
    if (property !== 'runtime_metrics' && property !== 'tls') return words.error(`unknown option: ${property}`)
    return words.remaining().length === (property === 'tls' ? 1 : 0) ? undefined : words.argumentError()
  },
})

/** pprof [ADDRESS] { block [RATE] } */
export const pprof = endpoint({
  name: 'pprof',
  usual: 'localhost:6053',
  once: true,
  inChain: false,
  property(words) {
    if (words.word() !== 'block') return words.error(`unknown property '${words.word()}'`)
    const [rate, ...more] = words.remaining()
    if (more.length > 0) return words.argumentError()
    if (rate === undefined || goInteger(rate).ok) return undefined
    return words.error(`property 'block' invalid integer value '${rate}'`)
  },
})

function endpoint({ name, usual, once, inChain, property }: Endpoint): Plugin {
  return {
    name,
    setup(controller) {
      const { words, line } = controller
      let address = usual
      let count = 0
      while (words.next()) {
        if (count++ > 0 && once) return pluginError(name, 'this plugin can only be used once per Server Block')
        const args = words.remaining()
        const [given] = args
        if (args.length > 1) return pluginError(name, words.argumentError())
        if (given !== undefined) {
          const host = splitHostPort(given)
          if (!host.ok) return pluginError(name, name === 'pprof' ? words.error(host.reason) : host.reason)
          address = given
        }
        while (words.nextInBlock()) {
          const error = property(words)
          if (error !== undefined) return pluginError(name, error)
        }
      }
      controller.notModelled(`${name}: the HTTP endpoint ${address}`)
      return parsed(inChain ? [passThrough(name, line)] : [])
    },
  }
}

/** net.SplitHostPort, for its errors. */
function splitHostPort(text: string): Parsed<string> {
  const wrong = (why: string): Parsed<never> => ({ ok: false, reason: `address ${text}: ${why}` })
  const colon = text.lastIndexOf(':')
  if (colon < 0) return wrong('missing port in address')
  const close = text.indexOf(']')
  if (text.startsWith('[')) {
    if (close < 0) return wrong("missing ']' in address")
    if (close + 1 === text.length) return wrong('missing port in address')
    if (close + 1 !== colon)
      return wrong(text[close + 1] === ':' ? 'too many colons in address' : 'missing port in address')
  } else if (text.slice(0, colon).includes(':')) return wrong('too many colons in address')
  const [open, end] = text.startsWith('[') ? [1, close + 1] : [0, 0]
  if (text.slice(open).includes('[')) return wrong("unexpected '[' in address")
  if (text.slice(end).includes(']')) return wrong("unexpected ']' in address")
  return parsed(text)
}
