import { withoutLeadingZeros } from '../../packet/ip.ts'
import { type Prefix, parsePrefix } from '../../packet/prefix.ts'
import { labelValueRule, qualifiedNameRule } from './labels.ts'
import { refuseText } from './names.ts'
import { children, listPlace, type Place, refuse, specCidr, text, texts } from './place.ts'

/**
 * What the API server refuses in a Node (pkg/apis/core/validation ValidateNode). It speaks of taints as if they stood in
 * the metadata.
 */
export function validateNodeSpec(spec: Place): void {
  const seen = new Set<string>()
  for (const [i, taint] of children(spec, 'taints').entries()) {
    const shown = (key: string) => ({ shown: ['metadata', 'taints', i, key] })
    const [key, value, effect] = [text(taint, 'key'), text(taint, 'value'), text(taint, 'effect')]
    refuseText(taint, 'key', { written: key, rule: qualifiedNameRule, ...shown('key') })
    const wrong = labelValueRule(value)
    if (wrong.length > 0)
      refuse(taint, 'value', {
        code: 'taint-invalid',
        text: `Invalid value: "${value}": ${wrong.join(';')}`,
        ...shown('value'),
      })
    if (effect === '') refuse(taint, 'effect', { code: 'required', text: 'Required value', ...shown('effect') })
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
}

/**
 * The pod ranges of a node. Where `podCIDR` and the first of `podCIDRs` differ, the latter are forgotten
 * (pkg/apis/core/v1/conversion.go); the API server speaks of both as `podCIDRs`.
 */
export function nodePodCIDRs(spec: Place): Prefix[] {
  const single = text(spec, 'podCIDR')
  const given = texts(spec, 'podCIDRs')
  const isSingle = single !== '' && single !== given[0]
  const written = isSingle ? [single] : given
  const place = isSingle ? spec : listPlace(spec, 'podCIDRs')
  const found = written.flatMap((cidr, i) => specCidr(place, isSingle ? 'podCIDR' : i, cidr) ?? [])
  if (isSingle) showAsList(spec)
  if (written.length < 2) return found
  const wrong = written.findIndex((cidr) => !isCidr(cidr))
  if (wrong >= 0) {
    const why = `invalid CIDR[${wrong}]: <nil> (invalid CIDR address: ${written[wrong]})`
    const text = `Internal error: invalid PodCIDRs. failed to check with dual stack with error:${why}`
    refuse(spec, 'podCIDRs', { code: 'pod-cidrs', text })
  }
  const families = new Set(found.map(({ address }) => address.family))
  if (wrong >= 0 || families.size < 2 || written.length > 2)
    refuse(spec, 'podCIDRs', {
      code: 'pod-cidrs',
      text: `Invalid value: ${JSON.stringify(written)}: may specify no more than one CIDR for each IP family`,
    })
  return found
}

const isCidr = (written: string): boolean =>
  parsePrefix(withoutLeadingZeros(written).replace(/\/0+(?=\d)/, '/'), 'mask').ok

function showAsList({ problems }: Place): void {
  for (const [i, problem] of problems.entries())
    if (problem.path.at(-1) === 'podCIDR') problems[i] = { ...problem, shown: ['spec', 'podCIDRs', 0] }
}
