/** A message with its length in front, as DNS goes over TCP (RFC 1035 §4.2.2). */
export function framed(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(bytes.length + 2)
  new DataView(out.buffer).setUint16(0, bytes.length)
  out.set(bytes, 2)
  return out
}

/** Takes whole messages off the front of a TCP stream; `rest` waits for more. */
export function unframed(stream: Uint8Array): { readonly messages: readonly Uint8Array[]; readonly rest: Uint8Array } {
  const messages: Uint8Array[] = []
  const view = new DataView(stream.buffer, stream.byteOffset, stream.byteLength)
  let at = 0
  while (at + 2 <= stream.length) {
    const length = view.getUint16(at)
    if (at + 2 + length > stream.length) break
    messages.push(stream.subarray(at + 2, at + 2 + length))
    at += 2 + length
  }
  return { messages, rest: stream.subarray(at) }
}
