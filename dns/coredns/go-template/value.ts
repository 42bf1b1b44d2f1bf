/** A value inside a template: Go's basic values, slices, maps and structs. */
export type Value =
  | string
  | number
  | boolean
  | null
  | undefined
  | readonly Value[]
  | ReadonlyMap<string, Value>
  | Struct

/** A Go struct, or a pointer to one: its exported fields and methods by name. */
export interface Struct {
  readonly type: string
  readonly fields: Readonly<Record<string, Value>>
  readonly methods?: Readonly<Record<string, (...args: readonly Value[]) => Value>>
}

/** What goes wrong while a template runs; its text is what Go would log behind `executing "x" at <...>: `. */
export class ExecutionFault {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

export const isMap = (value: Value): value is ReadonlyMap<string, Value> => value instanceof Map
export const isList = (value: Value): value is readonly Value[] => Array.isArray(value)
export const isStruct = (value: Value): value is Struct =>
  typeof value === 'object' && value !== null && !isMap(value) && !isList(value)

/** Whether a condition holds: not zero, not empty. */
export function isTrue(value: Value): boolean {
  if (isList(value)) return value.length > 0
  if (isMap(value)) return value.size > 0
  return value !== undefined && value !== null && value !== '' && value !== 0 && value !== false
}

/** As fmt prints it with %v. */
export function printed(value: Value): string {
  if (value === undefined) return '<no value>'
  if (value === null) return '<nil>'
  if (isList(value)) return `[${value.map(printed).join(' ')}]`
  if (isMap(value))
    return `map[${[...value]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, one]) => `${key}:${printed(one)}`)
      .join(' ')}]`
  if (isStruct(value)) return `{${Object.values(value.fields).map(printed).join(' ')}}`
  return String(value)
}
