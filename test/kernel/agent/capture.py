"""Every frame of one namespace, in order."""
import mmap
import socket
import struct

SOL_PACKET = 263
PACKET_RX_RING = 5
PACKET_STATISTICS = 6
PACKET_VERSION = 10
TPACKET_V2 = 1
TP_STATUS_USER = 1
ARPHRD_NONE = 65534
PACKET_OUTGOING = 4
# Holds a datagram of 3000 octets that conntrack has put together again; memory is pinned, so not more.
SLOT = 4096
BLOCK = 65536


class Ring:
    """A TPACKET_V2 ring over all devices. The frame is copied and stamped when it passes the tap: a frame read with
    recvmsg() is copied when it is read, and a later hop may have rewritten the shared buffer by then."""

    def __init__(self, netns, frames):
        self.netns = netns
        self.socket = netns.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.socket.setsockopt(SOL_PACKET, PACKET_VERSION, TPACKET_V2)
        blocks = max(1, frames * SLOT // BLOCK)
        self.slots = blocks * (BLOCK // SLOT)
        self.socket.setsockopt(SOL_PACKET, PACKET_RX_RING, struct.pack('=IIII', BLOCK, blocks, SLOT, self.slots))
        self.memory = mmap.mmap(self.socket.fileno(), BLOCK * blocks, mmap.MAP_SHARED,
                                mmap.PROT_READ | mmap.PROT_WRITE)
        self.slot = 0
        self.last = 0

    def read(self):
        frames = []
        memory = self.memory
        while True:
            at = self.slot * SLOT
            if not memory[at] & TP_STATUS_USER:
                return frames
            _, length, kept, mac, _, seconds, nanoseconds = struct.unpack_from('=IIIHHII', memory, at)
            _, _, device, hardware, kind = struct.unpack_from('=HHiHB', memory, at + 32)
            # Two taps of one frame may carry one stamp; within a namespace the ring's order is the truth.
            self.last = max(self.last, seconds * 1_000_000_000 + nanoseconds)
            data = bytes(memory[at + mac:at + mac + kept])
            struct.pack_into('=I', memory, at, 0)
            self.slot = (self.slot + 1) % self.slots
            frames.append((
                self.last, self.netns.name, self.netns.link_names.get(device, f'if{device}'),
                'tx' if kind == PACKET_OUTGOING else 'rx', 'ip' if hardware == ARPHRD_NONE else 'ethernet',
                length, data,
            ))

    def lost(self):
        return struct.unpack('=II', self.socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]

    def close(self):
        self.memory.close()
        self.socket.close()
