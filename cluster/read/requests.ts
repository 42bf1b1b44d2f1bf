import type { ResourceRequests } from '../objects.ts'
import { child, children, has, type Place, text } from './place.ts'
import { milliCpu, parseQuantity } from './quantity.ts'

/**
 * What the scheduler reserves for a pod (component-helpers/resource PodRequests): the sum over its containers and
 * sidecars, or the largest init container where that is more; a limit stands for a request that is left out.
 */
export function requestsOf(spec: Place): { readonly requests?: ResourceRequests } {
  const containers = children(spec, 'containers').map(requestOf)
  const inits = children(spec, 'initContainers').map((init) => ({
    sidecar: text(init, 'restartPolicy') === 'Always',
    wants: requestOf(init),
  }))
  let sidecars = NOTHING
  let most = NOTHING
  for (const { sidecar, wants } of inits) {
    most = larger(most, sum(sidecars, wants))
    if (sidecar) sidecars = sum(sidecars, wants)
  }
  const running = containers.reduce(sum, sidecars)
  const requests = sum(larger(running, most), resourcesIn(spec, 'overhead'))
  return requests.milliCpu === 0 && requests.memory === 0 ? {} : { requests }
}

const NOTHING: ResourceRequests = { milliCpu: 0, memory: 0 }

const sum = (x: ResourceRequests, y: ResourceRequests): ResourceRequests => ({
  milliCpu: x.milliCpu + y.milliCpu,
  memory: x.memory + y.memory,
})

const larger = (x: ResourceRequests, y: ResourceRequests): ResourceRequests => ({
  milliCpu: Math.max(x.milliCpu, y.milliCpu),
  memory: Math.max(x.memory, y.memory),
})

function requestOf(container: Place): ResourceRequests {
  const resources = child(container, 'resources')
  const [requests, limits] = [child(resources, 'requests'), child(resources, 'limits')]
  return {
    milliCpu: milliCpu(quantityAt(requests, 'cpu') || quantityAt(limits, 'cpu')) ?? 0,
    memory: parseQuantity(quantityAt(requests, 'memory') || quantityAt(limits, 'memory')) ?? 0,
  }
}

function resourcesIn(place: Place, key: string): ResourceRequests {
  const resources = child(place, key)
  return {
    milliCpu: milliCpu(quantityAt(resources, 'cpu')) ?? 0,
    memory: parseQuantity(quantityAt(resources, 'memory')) ?? 0,
  }
}

/** A quantity may be written as a number. */
function quantityAt(place: Place, key: string): string {
  if (!has(place, key)) return ''
  const value = place.value[key]
  return typeof value === 'number' ? String(value) : text(place, key)
}
