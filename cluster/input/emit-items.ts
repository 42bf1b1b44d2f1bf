import type { Item, ItemSink } from './item.ts'
import { isList, isObject, type Json, type JsonObject, member } from './json-value.ts'

/** What a typed list says about its items: the items of `kubectl get --raw` carry no kind of their own. */
export interface ListKind {
  readonly kind: string
  readonly apiVersion: string
}

/** Gives an object to the sink, with the kind that its list says where it has none; a list inside a list is opened. */
export function emitItems(
  sink: ItemSink,
  found: { value: JsonObject; at: Item['at']; list: ListKind | undefined },
): void {
  const { value, at, list } = found
  const ownKind = textOf(member(value, 'kind'))
  const kind = ownKind !== '' ? ownKind : list === undefined ? '' : itemKindOf(list.kind)
  const apiVersion =
    textOf(member(value, 'apiVersion')) || (ownKind === '' && list !== undefined ? list.apiVersion : '')
  const inner = member(value, 'items')
  if (kind.endsWith('List') && (isList(inner) || inner === null || inner === undefined)) {
    for (const item of isList(inner) ? inner : [])
      if (isObject(item)) emitItems(sink, { value: item, at, list: { kind, apiVersion } })
    return
  }
  sink.item({ value, kind, apiVersion, at })
}

const textOf = (value: Json | undefined): string => (typeof value === 'string' ? value : '')

/** The kind of the items of a typed list: `PodList` holds Pods. A plain `List` says nothing about its items. */
const itemKindOf = (listKind: string): string => listKind.slice(0, -'List'.length)
