import type { MachineEvent } from '../linux/event.ts'
import type { Link } from '../linux/netns.ts'
import type { Frame } from '../packet/packet.ts'

/** What waits to happen: a machine's event, or a frame on its way to a network card. */
export type WalkEvent =
  | Exclude<MachineEvent, { kind: 'wire' }>
  | { readonly kind: 'arrive'; readonly link: () => Link | undefined; readonly frame: Frame; readonly id: number }

interface Timed {
  readonly at: number
  readonly order: number
  readonly event: WalkEvent
}

/**
 * Events on one virtual clock, in the order of one CPU: the backlog first in, first out; then the tunnels' own
 * queues; then programs that were woken; then, when nothing is left to do now, the next timer.
 */
export class EventQueue {
  now = 0
  private readonly backlog: WalkEvent[] = []
  private readonly cells: WalkEvent[] = []
  private readonly wakes: WalkEvent[] = []
  private readonly timed: Timed[] = []
  private order = 0

  push(event: WalkEvent): void {
    switch (event.kind) {
      case 'arrive':
        this.backlog.push(event)
        return
      case 'backlog':
        if (event.cell) this.cells.push(event)
        else this.backlog.push(event)
        return
      case 'wake':
        this.wakes.push(event)
        return
      case 'timer':
        this.pushAt(event.at, event)
    }
  }

  /** For what arrives later than now: a link with a delay, a timer. */
  pushAt(at: number, event: WalkEvent): void {
    const entry = { at, order: this.order++, event }
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
    return this.backlog.shift() ?? this.cells.shift()
  }

  /** The next event of this moment. */
  nextNow(): WalkEvent | undefined {
    return this.nextPacket() ?? this.wakes.shift()
  }

  /** When the next timer is due. */
  nextAt(): number | undefined {
    return this.timed[0]?.at
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
