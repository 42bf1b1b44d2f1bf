import { createSocket, type Socket } from 'node:dgram'
import type { Server } from 'node:net'

export interface Listen {
  readonly address: string
  /** 0: whichever is free. */
  readonly port: number
}

/** Of the ports that the system picks some are free for one of the two only. */
const MOST_PICKS = 20

/** Opens UDP and TCP at the same port, of port 0 at one that is free for both; rejects with the system's error. */
export async function onOnePort(tcp: Server, listen: Listen): Promise<{ readonly udp: Socket; readonly port: number }> {
  for (let picks = 1; ; picks++) {
    const udp = createSocket({ type: listen.address.includes(':') ? 'udp6' : 'udp4' })
    const port = await bound(udp, listen)
    try {
      await listening(tcp, { address: listen.address, port })
      return { udp, port }
    } catch (error) {
      udp.close()
      if (listen.port !== 0 || picks === MOST_PICKS) throw error
    }
  }
}

const bound = (socket: Socket, { address, port }: Listen): Promise<number> =>
  new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.bind(port, address, () => resolve(socket.address().port))
  })

const listening = (server: Server, { address, port }: Listen): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, address, () => resolve())
  })
