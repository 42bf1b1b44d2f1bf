import { createSocket } from 'node:dgram'
import { connect } from 'node:net'
import type { Outside } from '../engine/program-room.ts'

/** How long an upstream is listened to: no resolver of ours waits longer. */
const PATIENCE_MS = 5000

/** A server of the real world that takes the place of those the input does not describe, over UDP and over TCP. */
export function realUpstream({ address, port }: { readonly address: string; readonly port: number }): Outside {
  return {
    datagram: (_to, bytes, reply) => {
      const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
      const end = setTimeout(() => socket.close(), PATIENCE_MS)
      socket.once('message', (answer) => {
        reply(answer)
        clearTimeout(end)
        socket.close()
      })
      // What the network says of it (nobody listens there) is heard as silence.
      socket.once('error', () => undefined)
      // Connected: what others send is not heard.
      socket.connect(port, address, () => socket.send(bytes))
    },
    stream: (_to, events) => {
      const connection = connect(port, address)
      connection.setTimeout(PATIENCE_MS, () => connection.destroy())
      connection.once('connect', () => events.opened())
      connection.on('data', (bytes) => events.heard(bytes))
      connection.on('error', () => undefined)
      connection.once('close', () => events.ended())
      return { send: (bytes) => void connection.write(bytes), close: () => void connection.end() }
    },
  }
}
