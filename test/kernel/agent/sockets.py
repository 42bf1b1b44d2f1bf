"""Sockets that no process holds any more."""
import socket
import struct

from netlink import dump, request

NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY, SOCK_DESTROY = 20, 21
# All states of enum tcp_state but TCP_LISTEN.
NOT_LISTENING = 0xfff & ~(1 << 10)


def tcp_abort(netns):
    """Ends every connection, also what waits in TIME_WAIT or for the acknowledgement of a FIN: it would send again, or
    hold its port (sock_diag(7), struct inet_diag_req_v2)."""
    with netns.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as sock:
        sock.bind((0, 0))
        for family in (socket.AF_INET, socket.AF_INET6):
            wanted = struct.pack('=BBBxI', family, socket.IPPROTO_TCP, 0, NOT_LISTENING)
            for data in dump(sock, SOCK_DIAG_BY_FAMILY, wanted + bytes(48)):
                try:
                    request(sock, SOCK_DESTROY, wanted + data[4:52])
                except OSError:
                    continue  # gone meanwhile
