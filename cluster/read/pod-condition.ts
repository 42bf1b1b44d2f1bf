import type { PodCondition, WaitingContainer } from '../objects.ts'
import { child, children, flag, has, integer, type Place, text } from './place.ts'

/** Reads what a pod's status tells about trouble. */
export function readPodCondition(status: Place): PodCondition {
  const conditions = children(status, 'conditions')
  const named = (type: string, state: string): Place | undefined =>
    conditions.find((one) => text(one, 'type') === type && text(one, 'status') === state)
  const reason = text(status, 'reason')
  const unscheduled = named('PodScheduled', 'False')
  const disrupted = named('DisruptionTarget', 'True')
  return {
    ...(reason === '' ? {} : { reason }),
    ...(unscheduled === undefined
      ? {}
      : { unschedulable: text(unscheduled, 'message') || text(unscheduled, 'reason') || 'Unschedulable' }),
    ...(disrupted === undefined ? {} : { disruption: text(disrupted, 'reason') }),
    waiting: children(status, 'containerStatuses').flatMap(waitingOf),
  }
}

function waitingOf(container: Place): WaitingContainer[] {
  if (flag(container, 'ready')) return []
  const state = child(container, 'state')
  const last = child(child(container, 'lastState'), 'terminated')
  const ended = has(state, 'terminated') ? child(state, 'terminated') : last
  return [
    {
      name: text(container, 'name'),
      reason: text(child(state, 'waiting'), 'reason') || text(child(state, 'terminated'), 'reason'),
      restarts: integer(container, 'restartCount', 0),
      ...(has(ended, 'exitCode') ? { exitCode: integer(ended, 'exitCode', 0) } : {}),
    },
  ]
}
