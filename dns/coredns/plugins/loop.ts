import { parsed } from '../../../packet/parsed.ts'
import { type Plugin, pluginError } from '../plugin.ts'

/**
 * loop: asks itself for a random HINFO name at the start; if that comes back more than twice, the process ends
 * (plugin/loop). Here the question is not sent: a forward to an address of this very server is found as it happens.
 */
export const loop: Plugin = {
  name: 'loop',
  setup(controller) {
    const { words } = controller
    let count = 0
    while (words.next()) {
      if (count++ > 0) return pluginError('loop', 'this plugin can only be used once per Server Block')
      if (words.nextArgument()) return pluginError('loop', words.argumentError())
    }
    controller.notModelled('loop: the question to itself at the start')
    return parsed([])
  },
}
