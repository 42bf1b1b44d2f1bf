import { type Parsed, parsed, refused } from '../packet/parsed.ts'

/** A JSON object as Go's encoding/json reads it into a struct: field names match whatever their case. */
export type GoObject = Readonly<Record<string, unknown>>

export function parseGoObject(text: string): Parsed<GoObject> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    return refused(`it is not JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
  return isObject(value) ? parsed(value) : refused('it is not a JSON object')
}

export const isObject = (value: unknown): value is GoObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The value of a field; of several spellings the last one written wins, and null counts as absent. */
export function goField(object: GoObject, name: string): unknown {
  let found: unknown
  const wanted = name.toLowerCase()
  for (const [key, value] of Object.entries(object)) if (key.toLowerCase() === wanted) found = value ?? undefined
  return found
}

export function goString(object: GoObject, name: string): string | undefined {
  const value = goField(object, name)
  return typeof value === 'string' ? value : undefined
}

export function goNumber(object: GoObject, name: string): number | undefined {
  const value = goField(object, name)
  return typeof value === 'number' && Number.isInteger(value) ? value : undefined
}

export function goBoolean(object: GoObject, name: string): boolean | undefined {
  const value = goField(object, name)
  return typeof value === 'boolean' ? value : undefined
}

export function goObject(object: GoObject, name: string): GoObject | undefined {
  const value = goField(object, name)
  return isObject(value) ? value : undefined
}

/** The first field of `types` that is there and of another type than Go could decode: `Backend.VNI is not a number`. */
export function mistyped(
  object: GoObject,
  types: Readonly<Record<string, 'string' | 'number' | 'boolean' | 'object'>>,
): string | undefined {
  for (const [name, type] of Object.entries(types)) {
    const value = goField(object, name)
    if (value === undefined) continue
    const right =
      type === 'object' ? isObject(value) : type === 'number' ? Number.isInteger(value) : typeof value === type
    if (!right) return `${name} is not ${type === 'number' ? 'a whole number' : `of type ${type}`}`
  }
  return undefined
}
