/** Freezes plain data and all below it. Maps stay as they are; their values are frozen. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value) || ArrayBuffer.isView(value)) return value
  Object.freeze(value)
  if (value instanceof Map) for (const entry of value.values()) deepFreeze(entry)
  else for (const entry of Object.values(value)) deepFreeze(entry)
  return value
}
