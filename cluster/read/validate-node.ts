import { type Prefix, parsePrefix } from '../../packet/prefix.ts'
import { labelValueProblem, qualifiedNameProblem } from './labels.ts'
import { children, has, listPlace, type Place, refuse, text, texts } from './place.ts'

/**
 * What the API server refuses in a Node (pkg/apis/core/validation ValidateNode). It speaks of taints as if they stood in
 * the metadata.
 */
export function validateNodeSpec(spec: Place, podCIDRs: readonly Prefix[]): void {
  const seen = new Set<string>()
  for (const [i, taint] of children(spec, 'taints').entries()) {
    const shown = (key: string) => ({ shown: ['metadata', 'taints', i, key] })
    const [key, value, effect] = [text(taint, 'key'), text(taint, 'value'), text(taint, 'effect')]
    const wrongKey = qualifiedNameProblem(key)
    if (wrongKey !== undefined)
      refuse(taint, 'key', { code: 'taint-invalid', text: `Invalid value: "${key}": ${wrongKey}`, ...shown('key') })
    const wrongValue = labelValueProblem(value)
    if (wrongValue !== undefined)
      refuse(taint, 'value', {
        code: 'taint-invalid',
        text: `Invalid value: "${value}": ${wrongValue}`,
        ...shown('value'),
      })
    if (!has(taint, 'effect')) refuse(taint, 'effect', { code: 'required', text: 'Required value', ...shown('effect') })
    const pair = `${key}\0${effect}`
    if (seen.has(pair)) {
      const printed = JSON.stringify({ Key: key, Value: value, Effect: effect, TimeAdded: null })
      refuse(taint, undefined, {
        code: 'duplicate',
        text: `Duplicate value: ${printed}: taints must be unique by key and effect pair`,
        shown: ['metadata', 'taints', i],
      })
    }
    seen.add(pair)
  }
  validatePodCIDRs(spec, podCIDRs)
}

function validatePodCIDRs(spec: Place, podCIDRs: readonly Prefix[]): void {
  const written = texts(spec, 'podCIDRs')
  if (written.length < 2) return
  const families = new Set(podCIDRs.map(({ address }) => address.family))
  const isWrong = written.some((one) => !parsePrefix(one, 'mask').ok)
  if (!isWrong && (families.size < 2 || written.length > 2))
    refuse(spec, 'podCIDRs', {
      code: 'pod-cidrs',
      text: `Invalid value: ${JSON.stringify(written)}: may specify no more than one CIDR for each IP family`,
    })
  for (const [i, cidr] of written.entries())
    if (written.indexOf(cidr) < i)
      refuse(listPlace(spec, 'podCIDRs'), i, { code: 'duplicate', text: `Duplicate value: "${cidr}"` })
}
