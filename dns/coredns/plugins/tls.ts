import { parsed } from '../../../packet/parsed.ts'
import { type Plugin, pluginError } from '../plugin.ts'

/** Options of the form that gets a certificate by itself, all of one word but the names. */
const ACME_OPTIONS = ['acme', 'email', 'ca', 'storage', 'ca_root', 'resolver']

/** tls [CERT KEY [CA]] | { acme NAMES... }: read for its errors; what it listens with is not modelled (plugin/tls). */
export const tls: Plugin = {
  name: 'tls',
  setup(controller) {
    const { words } = controller
    const wrong = (error: Parameters<typeof pluginError>[1]) => pluginError('tls', error)
    while (words.next()) {
      const args = words.remaining()
      if (args.length === 1 || args.length > 3) return wrong(words.argumentError())
      const seen = new Set<string>()
      while (words.nextInBlock()) {
        const option = words.word()
        const values = words.remaining()
        if (args.length > 0) continue
        if (seen.has(option))
          return wrong(words.error(`ACME option ${JSON.stringify(option)} can only be specified once`))
        seen.add(option)
        if (!ACME_OPTIONS.includes(option)) return wrong(words.error(`unknown ACME option ${JSON.stringify(option)}`))
        if (option === 'acme' ? values.length === 0 : values.length !== 1) return wrong(words.argumentError())
      }
      if (args.length === 0 && !seen.has('acme')) return wrong('ACME requires at least one domain')
      controller.notModelled('tls')
    }
    return parsed([])
  },
}
