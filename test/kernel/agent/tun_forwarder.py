"""flanneld's UDP backend as a real userspace process: one tun device, one UDP socket. It takes one off the TTL of
what it reads from the tun, and again of what it writes to it; at zero it says nothing. What it has no route for it
answers with ICMP net unreachable of TTL 8, unless it is ICMP or a later fragment (flannel v0.28 pkg/backend/udp/proxy_amd64.c)."""
import fcntl
import ipaddress
import os
import socket
import struct

TUNSETIFF = 0x400454ca
IFF_TUN, IFF_NO_PI = 1, 0x1000
ICMP_TTL = 8


def checksum(data):
    if len(data) % 2:
        data += b'\0'
    total = sum(struct.unpack(f'!{len(data) // 2}H', data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def one_less(packet):
    """The packet with its TTL one less, or None where it dies."""
    if len(packet) < 20:
        return None
    changed = bytearray(packet)
    changed[8] -= 1
    if changed[8] == 0:
        return None
    length = (changed[0] & 15) * 4
    changed[10:12] = b'\0\0'
    changed[10:12] = struct.pack('!H', checksum(bytes(changed[:length])))
    return bytes(changed)


class TunForwarder:
    def __init__(self, netns, asked):
        with netns:
            self.tun = os.open('/dev/net/tun', os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(self.tun, TUNSETIFF, struct.pack('16sH22x', asked['device'].encode(), IFF_TUN | IFF_NO_PI))
        self.udp = netns.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.setblocking(False)
        self.udp.bind((asked['ip'], asked['port']))
        self.own = socket.inet_aton(asked['tunIp'])
        self.routes = [(ipaddress.ip_network(one['prefix']), (one['via'], asked['port'])) for one in asked['routes']]

    def files(self):
        return ((self.tun, self.from_tun), (self.udp.fileno(), self.from_udp))

    def file_numbers(self):
        return [self.tun, self.udp.fileno()]

    def from_tun(self):
        try:
            packet = os.read(self.tun, 1 << 16)
        except BlockingIOError:
            return
        if packet[0] >> 4 != 4:
            return
        destination = ipaddress.ip_address(packet[16:20])
        hop = next((hop for prefix, hop in self.routes if destination in prefix), None)
        if hop is None:
            self.unreachable(packet)
            return
        passed = one_less(packet)
        if passed is not None:
            try:
                self.udp.sendto(passed, hop)
            except OSError:
                pass  # no way, or a rule that drops: it goes on with the next

    def from_udp(self):
        try:
            packet = self.udp.recv(1 << 16)
        except OSError:
            return  # nothing, or an ICMP error about an earlier datagram
        passed = one_less(packet)
        if passed is not None:
            self.to_tun(passed)

    def unreachable(self, packet):
        if packet[9] == socket.IPPROTO_ICMP or packet[6] & 0x1f or packet[7]:
            return
        quote = packet[:(packet[0] & 15) * 4 + 8]
        message = struct.pack('!BBHI', 3, 0, 0, 0) + quote
        message = message[:2] + struct.pack('!H', checksum(message)) + message[4:]
        header = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(message), 0, 0, ICMP_TTL, socket.IPPROTO_ICMP, 0,
                             self.own, packet[12:16])
        header = header[:10] + struct.pack('!H', checksum(header)) + header[12:]
        self.to_tun(header + message)

    def to_tun(self, packet):
        try:
            os.write(self.tun, packet)
        except OSError:
            pass  # the device is down: it goes on with the next

    def close(self):
        os.close(self.tun)
        self.udp.close()
