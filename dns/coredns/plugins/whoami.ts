import { parsed } from '../../../packet/parsed.ts'
import { replyTo } from '../../message.ts'
import { type Plugin, pluginError } from '../plugin.ts'

/** whoami: tells the client its address, port and transport in the additional section (plugin/whoami). */
export const whoami: Plugin = {
  name: 'whoami',
  setup({ words, line }) {
    words.next()
    if (words.nextArgument()) return pluginError('whoami', words.argumentError())
    return parsed([
      {
        plugin: 'whoami',
        line,
        // biome-ignore lint/correctness/useYield: a link of a chain that may wait elsewhere.
        *serve({ question, message, client, transport, server }) {
          const { name, class: cls } = question
          const detail = 'who asks stands in the additional section'
          server.note({ kind: 'dns.plugin', plugin: 'whoami', line, question, action: 'answered', detail })
          const head = { ttl: 0, class: cls }
          const reply = replyTo(message)
          return {
            kind: 'reply',
            by: 'whoami',
            message: {
              ...reply,
              flags: { ...reply.flags, authoritative: true },
              additionals: [
                { ...head, name, type: client.ip.family === 4 ? 'A' : 'AAAA', address: client.ip },
                {
                  ...head,
                  name: name === '.' ? `_${transport}.` : `_${transport}.${name}`,
                  type: 'SRV',
                  priority: 0,
                  weight: 0,
                  port: client.port,
                  target: '.',
                },
              ],
            },
          }
        },
      },
    ])
  },
}
