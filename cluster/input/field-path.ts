/** The way from an object to one of its fields: member names and list positions. */
export type FieldPath = readonly (string | number)[]

/** `spec.ports[0].targetPort`; a member whose name is no plain word stands in brackets, as the API server prints it. */
export function formatFieldPath(path: FieldPath): string {
  let text = ''
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`
    else if (/^[A-Za-z_][\w-]*$/.test(part)) text += text === '' ? part : `.${part}`
    else text += `[${part}]`
  }
  return text
}

/** Reads what formatFieldPath prints. */
export function parseFieldPath(text: string): FieldPath {
  return [...text.matchAll(/\[(\d+)\]|\[([^\]]*)\]|([^.[\]]+)/g)].map(([, index, name, word]) =>
    index === undefined ? (name ?? word ?? '') : Number(index),
  )
}
