import type { Item, ItemSink, ObjectKind, TextFile } from './item.ts'
import { isList, isObject, type Json, type JsonObject, member } from './json-value.ts'
import { kindInList, wanted } from './reading.ts'

/** Gives an object to the sink, with the kind that its list says where it has none; a list inside a list is opened. */
export function emitItems(
  { sink, file }: { readonly sink: ItemSink; readonly file: TextFile },
  found: { value: JsonObject; at: Item['at']; list: ObjectKind | undefined },
): void {
  const { value, at, list } = found
  const own = { kind: textOf(member(value, 'kind')), apiVersion: textOf(member(value, 'apiVersion')) }
  const { kind, apiVersion } = kindInList(own, list, file)
  const inner = member(value, 'items')
  if (kind.endsWith('List') && (isList(inner) || inner === null || inner === undefined)) {
    for (const item of isList(inner) ? inner : [])
      if (isObject(item)) emitItems({ sink, file }, { value: item, at, list: { kind, apiVersion } })
    if (!isList(inner) || inner.length === 0) sink.emptyList?.({ kind, apiVersion }, at)
    return
  }
  if (wanted(sink, { kind, apiVersion })) sink.item({ value, kind, apiVersion, at })
  else sink.unread?.({ kind, apiVersion, at })
}

const textOf = (value: Json | undefined): string => (typeof value === 'string' ? value : '')
