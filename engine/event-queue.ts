import type { MachineEvent } from '../linux/event.ts'
import type { Link, Netns } from '../linux/netns.ts'
import type { Frame } from '../packet/packet.ts'

/** What waits to happen: a machine's event, or a frame on its way to a network card. */
export type WalkEvent =
  | Exclude<MachineEvent, { kind: 'wire' }>
  | {
      readonly kind: 'arrive'
      readonly link: () => Link | undefined
      readonly frame: Frame
      readonly id: number
      readonly flowHash?: string | undefined
    }
  /** A frame is in a switch that takes its turn on the CPU too; it goes on as these. */
  | { readonly kind: 'switch'; readonly on: readonly Extract<WalkEvent, { kind: 'arrive' }>[] }

type Wake = Extract<WalkEvent, { kind: 'wake' }>

/**
 * What programs wait for, in the order of epoll(7), level-triggered: a descriptor stands in the list once, gives one
 * event at a time, and goes to the end as soon as it has given one, ahead of what that event brings about.
 */
class ReadyList {
  private readonly list: string[] = []
  private readonly events = new Map<string, Wake[]>()

  push(wake: Wake): void {
    const key = keyOf(wake)
    const waiting = this.events.get(key)
    if (wake.atOnce === true) {
      const first = (waiting ?? []).filter((other) => other.atOnce === true)
      const rest = (waiting ?? []).filter((other) => other.atOnce !== true)
      this.events.set(key, [...first, wake, ...rest])
      this.list.splice(0, this.list.length, key, ...this.list.filter((other) => other !== key))
      return
    }
    if (waiting !== undefined) {
      waiting.push(wake)
      return
    }
    this.events.set(key, [wake])
    this.list.push(key)
  }

  next(): Wake | undefined {
    for (let key = this.list.shift(); key !== undefined; key = this.list.shift()) {
      const event = this.events.get(key)?.shift()
      if (event === undefined) {
        this.events.delete(key)
        continue
      }
      this.list.push(key)
      return event
    }
    return undefined
  }
}

const keyOf = ({ ns, process, event }: Wake): string =>
  `${ns.host.name} ${ns.name} ${process} ${'fd' in event ? event.fd : event.id}`

interface Timed {
  readonly at: number
  /** Among equals the least goes first: the kernel's own timers last in, first out (enqueue_timer), others in order. */
  readonly order: number
  readonly event: WalkEvent
}

/**
 * Events on one virtual clock, in the order of one CPU: the backlog first in, first out; then programs that
 * were woken; then, when nothing is left to do now, the next timer.
 */
export class EventQueue {
  now = 0
  private readonly backlog: WalkEvent[] = []
  private readonly wakes = new ReadyList()
  private readonly timed: Timed[] = []
  private order = 0

  push(event: WalkEvent): void {
    switch (event.kind) {
      case 'arrive':
      case 'switch':
        this.backlog.push(event)
        return
      case 'backlog':
        this.backlog.push(event)
        return
      case 'wake':
        this.wakes.push(event)
        return
      case 'timer':
        this.insert({ at: event.at, order: event.timer.kind === 'process' ? this.order++ : -this.order++, event })
    }
  }

  /** For what arrives later than now: a link with a delay, a timer. */
  pushAt(at: number, event: WalkEvent): void {
    this.insert({ at, order: this.order++, event })
  }

  private insert(entry: Timed): void {
    let i = this.timed.length
    this.timed.push(entry)
    while (i > 0) {
      const parent = (i - 1) >> 1
      const above = this.timed[parent]
      if (above === undefined || !isBefore(entry, above)) break
      this.timed[i] = above
      this.timed[parent] = entry
      i = parent
    }
  }

  /** The next packet of this moment: what a softirq would take up. */
  nextPacket(): WalkEvent | undefined {
    return this.backlog.shift()
  }

  /** The next event of this moment. */
  nextNow(): WalkEvent | undefined {
    return this.nextPacket() ?? this.wakes.next()
  }

  /** Forgets what waits for a namespace that is no more. */
  forget(isGone: (ns: Netns) => boolean): void {
    const gone = (event: WalkEvent): boolean =>
      event.kind === 'backlog' ? isGone(event.skb.ns) : event.kind === 'timer' && isGone(event.ns)
    this.backlog.splice(0, this.backlog.length, ...this.backlog.filter((event) => !gone(event)))
    const left = this.timed.filter(({ event }) => !gone(event))
    this.timed.length = 0
    for (const entry of left) this.insert(entry)
  }

  /** When the next timer is due. */
  nextAt(): number | undefined {
    return this.timed[0]?.at
  }

  /** Another of the kernel's own timers that is due now: they all run before what the first has sent moves on. */
  nextOfTick(): WalkEvent | undefined {
    const first = this.timed[0]
    if (first === undefined || first.at > this.now || first.event.kind !== 'timer') return undefined
    return first.event.timer.kind === 'process' ? undefined : this.nextTimed()
  }

  /** Moves the clock to the next timer and takes it. */
  nextTimed(): WalkEvent | undefined {
    const first = this.timed[0]
    if (first === undefined) return undefined
    this.removeFirst()
    this.now = Math.max(this.now, first.at)
    return first.event
  }

  private removeFirst(): void {
    const last = this.timed.pop()
    if (last === undefined || this.timed.length === 0) return
    let i = 0
    for (;;) {
      const left = 2 * i + 1
      const right = left + 1
      let least = left
      const atLeft = this.timed[left]
      const atRight = this.timed[right]
      if (atLeft === undefined) break
      if (atRight !== undefined && isBefore(atRight, atLeft)) least = right
      const child = this.timed[least]
      if (child === undefined || !isBefore(child, last)) break
      this.timed[i] = child
      i = least
    }
    this.timed[i] = last
  }
}

const isBefore = (x: Timed, y: Timed): boolean => x.at < y.at || (x.at === y.at && x.order < y.order)
