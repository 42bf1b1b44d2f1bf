/**
 * The text of flanneld-udp.py: the forwarder of flannel's UDP backend as a process of its own, as
 * cni/flannel/udp-forwarder.ts is in the model (flannel v0.28 pkg/backend/udp/proxy_amd64.c).
 */
export const tunForwarder = `#!/usr/bin/env python3
"""flanneld's UDP backend: whole IPv4 packets from the tun device into datagrams and back. One is taken from the TTL
each way, and nothing is said when none is left. What no peer has is answered with ICMP net unreachable.
flanneld-udp.py DEVICE ADDRESS IP:PORT [SUBNET=PEER...]; prints the number of the process that goes on."""
import fcntl
import ipaddress
import os
import select
import socket
import struct
import sys

TUNSETIFF = 0x400454ca
IFF_TUN, IFF_NO_PI = 1, 0x1000
ICMP_TTL = 8


def checksum(data):
    if len(data) % 2:
        data += b'\\0'
    total = sum(struct.unpack(f'!{len(data) // 2}H', data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def with_checksum(header):
    blank = header[:10] + b'\\0\\0' + header[12:]
    return blank[:10] + struct.pack('!H', checksum(blank)) + blank[12:]


def one_less(packet):
    """The packet with its TTL one less, or None where it ends here."""
    length = (packet[0] & 15) * 4
    ttl = (packet[8] - 1) & 255
    if ttl == 0:
        return None
    return with_checksum(packet[:8] + bytes([ttl]) + packet[9:length]) + packet[length:]


def unreachable(packet, own):
    quote = packet[:(packet[0] & 15) * 4 + 8]
    message = struct.pack('!BBHI', 3, 0, 0, 0) + quote
    message = message[:2] + struct.pack('!H', checksum(message)) + message[4:]
    header = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(message), 0, 0, ICMP_TTL, socket.IPPROTO_ICMP, 0, own,
                         packet[12:16])
    return with_checksum(header) + message


def attach(device):
    tun = os.open('/dev/net/tun', os.O_RDWR)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack('16sH22x', device.encode(), IFF_TUN | IFF_NO_PI))
    return tun


def serve(tun, udp, own, routes):
    def from_tun(packet):
        destination = ipaddress.ip_address(packet[16:20])
        hop = next((hop for subnet, hop in routes if destination in subnet), None)
        later_fragment = struct.unpack('!H', packet[6:8])[0] & 0x1fff
        if hop is None:
            if packet[9] != socket.IPPROTO_ICMP and not later_fragment:
                os.write(tun, unreachable(packet, own))
        elif passed := one_less(packet):
            udp.sendto(passed, hop)

    while True:
        for ready in select.select([tun, udp], [], [])[0]:
            try:
                packet = os.read(tun, 1 << 16) if ready == tun else udp.recv(1 << 16)
                if len(packet) < 20 or packet[0] >> 4 != 4:
                    continue
                if ready == tun:
                    from_tun(packet)
                elif passed := one_less(packet):
                    os.write(tun, passed)
            except OSError:
                pass  # an ICMP error about an earlier datagram, a packet that is too big


def main():
    device, address, listen, *peers = sys.argv[1:]
    ip, port = listen.rsplit(':', 1)
    tun = attach(device)
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind((ip, int(port)))
    routes = [(ipaddress.ip_network(subnet), (peer, int(port))) for subnet, peer in (one.split('=') for one in peers)]
    child = os.fork()
    if child:
        print(child)
        return
    os.setsid()
    silence = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(silence, number)
    serve(tun, udp, socket.inet_aton(address), routes)


main()
`
