import { parsed } from '../../../packet/parsed.ts'
import { isSubdomain } from '../../name.ts'
import { type Plugin, passThrough, pluginError } from '../plugin.ts'
import { zonesOf } from '../zones.ts'

/** metadata [ZONES...]: has the plugins of its block tell what they know of a query (plugin/metadata). */
export const metadata: Plugin = {
  name: 'metadata',
  setup({ words, line, zones: ofBlock }) {
    words.next()
    const args = words.remaining()
    const zones = args.length > 0 ? zonesOf(args) : ofBlock
    if (words.nextInBlock() || words.next()) return pluginError('metadata', words.argumentError())
    const collects = ({ name }: { readonly name: string }) => zones.some((zone) => isSubdomain(zone, name))
    return parsed([{ ...passThrough('metadata', line), collects }])
  },
}
