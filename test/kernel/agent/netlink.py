"""Netlink messages and attributes (include/uapi/linux/netlink.h)."""
import os
import struct

NLMSG_ERROR = 2
NLMSG_DONE = 3
NLM_F_REQUEST_ACK = 5
NLM_F_REQUEST_DUMP = 0x301
NLA_TYPE_MASK = 0x3fff


def attributes(data):
    found = {}
    at = 0
    while at + 4 <= len(data):
        length, kind = struct.unpack_from('=HH', data, at)
        if length < 4:
            break
        found[kind & NLA_TYPE_MASK] = data[at + 4:at + length]
        at += (length + 3) & ~3
    return found


def attribute(kind, data):
    return struct.pack('=HH', 4 + len(data), kind) + data + b'\0' * (-len(data) % 4)


def messages(data):
    at = 0
    while at + 16 <= len(data):
        length, kind = struct.unpack_from('=IH', data, at)
        yield kind, data[at + 16:at + length]
        at += (length + 3) & ~3


def dump(sock, kind, body):
    sock.send(struct.pack('=IHHII', 16 + len(body), kind, NLM_F_REQUEST_DUMP, 1, 0) + body)
    found = []
    while True:
        for answer, data in messages(sock.recv(1 << 18)):
            if answer == NLMSG_DONE:
                return found
            if answer == NLMSG_ERROR:
                number = -struct.unpack_from('=i', data)[0]
                raise OSError(number, os.strerror(number))
            found.append(data)


def request(sock, kind, body, flags=0):
    """A request with an acknowledgement; raises OSError with the kernel's number."""
    sock.send(struct.pack('=IHHII', 16 + len(body), kind, NLM_F_REQUEST_ACK | flags, 1, 0) + body)
    for answer, data in messages(sock.recv(1 << 16)):
        if answer == NLMSG_ERROR:
            number = -struct.unpack_from('=i', data)[0]
            if number:
                raise OSError(number, os.strerror(number))
