import { parsed } from '../../../packet/parsed.ts'
import { durationSeconds } from '../duration.ts'
import { type Controller, type Plugin, passThrough, pluginError, type Setup } from '../plugin.ts'

/**
 * Plugins that answer nothing and change nothing in a reply: they are read for their errors, and what they would do
 * beside DNS is said not to be emulated.
 */

/** health [ADDRESS] { lameduck DURATION }: an HTTP endpoint, :8080 unless said. */
export const health = httpEndpoint('health', ':8080')
/** ready [ADDRESS]: an HTTP endpoint, :8181 unless said. */
export const ready = httpEndpoint('ready', ':8181')
/** prometheus [ADDRESS]: an HTTP endpoint, localhost:9153 unless said. */
export const prometheus = httpEndpoint('prometheus', 'localhost:9153')

/** reload [INTERVAL] [JITTER]: an emulated Corefile does not change. */
export const reload: Plugin = {
  name: 'reload',
  setup({ words }) {
    while (words.next()) {
      const args = words.remaining()
      if (args.length > 2) return pluginError('reload', words.argumentError())
      for (const [i, text] of args.entries()) {
        const seconds = durationSeconds(text)
        if (seconds === undefined) return pluginError('reload', `time: invalid duration ${JSON.stringify(text)}`)
        if (i === 0 && seconds < 2) return pluginError('reload', 'interval value must be greater or equal to 2s')
        if (i === 1 && seconds < 1) return pluginError('reload', 'jitter value must be greater or equal to 1s')
      }
    }
    return parsed([])
  },
}

function httpEndpoint(name: string, usual: string): Plugin {
  return {
    name,
    setup(controller: Controller): Setup {
      const { words } = controller
      let address = usual
      while (words.next()) {
        const args = words.remaining()
        if (args.length > 1) return pluginError(name, words.argumentError())
        const given = args[0]
        if (given !== undefined) {
          const wrong = name === 'prometheus' ? undefined : hostPortError(given)
          if (wrong !== undefined) return pluginError(name, `address ${given}: ${wrong}`)
          address = given
        }
        while (words.nextInBlock()) if (words.remaining().length === 0) return pluginError(name, words.argumentError())
      }
      controller.notModelled(`${name}: the HTTP endpoint ${address}`)
      return parsed(name === 'prometheus' ? [passThrough(name, controller.line)] : [])
    },
  }
}

/** What Go's net.SplitHostPort finds wrong. */
function hostPortError(text: string): string | undefined {
  const colons = text.split(':').length - 1
  if (colons === 0) return 'missing port in address'
  return colons > 1 && !text.startsWith('[') ? 'too many colons in address' : undefined
}
