import type { Diagnostic } from '../source.ts'
import type { ByteSource } from './byte-source.ts'
import { wholeSource } from './byte-source.ts'
import { collectorErrors, isCollectorErrors } from './collector-errors.ts'
import type { InputInventory } from './inventory.ts'
import type { InputFile, Item, ObjectKind } from './item.ts'
import { member } from './json-value.ts'
import { type OpenedText, openFile } from './open-file.ts'
import { readItems } from './read-items.ts'
import { type Inventory, lackingDiagnostics, newInventory, strippedDiagnostics } from './take-inventory.ts'

/** How far reading has come. */
export type InputProgress = (state: { readonly file: string; readonly bytes: number; readonly objects: number }) => void

export interface InputsSink {
  /** Every text that was read, by name, so that places in it can be looked up. */
  readonly texts: Map<string, ByteSource>
  readonly diagnose: (diagnostic: Diagnostic) => void
  /** `below`: the file was found in a directory or archive. False: the object's kind is not read after all. */
  readonly item: (item: Item, below: boolean) => boolean
  readonly wants: (kind: ObjectKind) => boolean
  /** An object of this kind is not read. */
  readonly unread: (kind: string) => void
  readonly progress?: InputProgress
}

/** Reads all objects of all files, and says what the files were found to be. */
export function readInputs(inputs: readonly InputFile[], sink: InputsSink): InputInventory {
  const inventory = newInventory()
  for (const input of inputs)
    openFile(input, {
      text: (file) => readText(file, inventory, sink),
      diagnose: (diagnostic) => {
        inventory.skip({
          at: diagnostic.at ?? { file: input.name, line: 1 },
          code: diagnostic.code,
          reason: diagnostic.message,
        })
        sink.diagnose(diagnostic)
      },
      skip: (file, { code, reason }) => inventory.skip({ at: { file, line: 1 }, code, reason }),
    })
  const taken = inventory.take()
  for (const diagnostic of [...lackingDiagnostics(taken), ...strippedDiagnostics(taken, inventory.stripped())])
    sink.diagnose(diagnostic)
  return taken
}

/** A list of refusals is short. */
const MOST_ERRORS = 1 << 20

function readText(file: OpenedText, inventory: Inventory, sink: InputsSink): void {
  sink.texts.set(file.name, file.source)
  if (file.below !== undefined && isCollectorErrors(file.name, file.head)) {
    const text = new TextDecoder().decode(wholeSource(file.source, MOST_ERRORS) ?? new Uint8Array())
    inventory.errors(file.name, collectorErrors(text))
    return inventory.skip({
      at: { file: file.name, line: 1 },
      code: 'collector-errors',
      reason: 'what could not be collected',
    })
  }
  const kinds = new Map<string, number>()
  const count = (kind: string) => void kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
  const unread = ({ kind, at }: Omit<Item, 'value'>) => {
    count(kind)
    sink.unread(kind)
    inventory.skipKind(kind, { file: at.file, line: at.line })
  }
  let objects = 0
  const source = sink.progress === undefined ? file.source : told(file, sink.progress, () => objects)
  const { form, bytes } = readItems(
    { ...file, source },
    {
      item(item) {
        objects++
        if (!sink.item(item, file.below !== undefined)) {
          if (item.kind !== '') unread(item)
          else
            inventory.skip({
              at: { file: item.at.file, line: item.at.line },
              code: 'kind-missing',
              reason: 'an object without kind',
            })
        } else if (item.kind !== '') {
          count(item.kind)
          if (item.kind === 'Pod' && member(item.value, 'status') === undefined) inventory.noStatus(item.at)
        }
      },
      wants: sink.wants,
      unread,
      diagnose: sink.diagnose,
      emptyList: ({ kind }, at) => inventory.emptyList(kind, at, file),
      log: (name, at) => inventory.skip({ at, code: 'log', reason: `a log: ${name}` }),
    },
  )
  inventory.file({ name: file.name, form, packing: file.packing, bytes, kinds: Object.fromEntries(kinds) })
}

const TOLD_EVERY = 1 << 24

/** Tells how far reading has come, every 16 MB. */
function told({ name, source }: OpenedText, progress: InputProgress, objects: () => number): ByteSource {
  let next = TOLD_EVERY
  return {
    read(offset, into) {
      const found = source.read(offset, into)
      if (offset + found >= next) {
        next = offset + found + TOLD_EVERY
        progress({ file: name, bytes: offset + found, objects: objects() })
      }
      return found
    },
    fault: source.fault,
  }
}
