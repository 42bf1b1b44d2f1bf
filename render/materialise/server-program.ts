/**
 * The text of servers.py: one process that listens in every namespace where the lab says that somebody does, and
 * answers as the model's listener does.
 */
export const serverProgram = `#!/usr/bin/env python3
"""Stands in for what runs in the pods: listens where servers.json says, answers HTTP with 200 and the name of the
server, and sends anything else back as it came. Prints the number of the process that goes on doing so."""
import ctypes
import json
import os
import re
import socket
import sys
import threading

CLONE_NEWNET = 0x40000000
REQUEST = re.compile(rb'[A-Z]+ \\S+ HTTP/1\\.[01]\\r\\n')
libc = ctypes.CDLL(None, use_errno=True)


def enter(netns):
    """A socket stays in the namespace that it was made in."""
    file = os.open('/run/netns/' + netns, os.O_RDONLY)
    if libc.setns(file, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), netns)
    os.close(file)


def bound(kind, port):
    """Of both families where the kernel has them."""
    try:
        one = socket.socket(socket.AF_INET6, kind)
        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        address = ('::', port)
    except OSError:
        one = socket.socket(socket.AF_INET, kind)
        address = ('0.0.0.0', port)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind(address)
    return one


def answer(data, server):
    if server['answers'] == 'silent':
        return b''
    if not REQUEST.match(data):
        return data
    body = server['name'].encode() + b'\\n'
    head = 'HTTP/1.1 200 OK\\r\\nContent-Type: text/plain\\r\\nContent-Length: %d\\r\\n\\r\\n' % len(body)
    return head.encode() + body


def converse(connection, server):
    try:
        with connection:
            while data := connection.recv(65536):
                connection.sendall(answer(data, server))
    except OSError:
        pass


def accept(listening, server):
    while True:
        connection, _ = listening.accept()
        threading.Thread(target=converse, args=(connection, server), daemon=True).start()


def receive(listening, server):
    while True:
        try:
            data, peer = listening.recvfrom(65536)
            if server['answers'] != 'silent':
                listening.sendto(data, peer)
        except OSError:
            pass


def main():
    with open('servers.json', encoding='utf-8') as file:
        servers = json.load(file)
    loops = []
    for server in servers:
        enter(server['netns'])
        for kind, ports, loop in ((socket.SOCK_STREAM, server['tcp'], accept), (socket.SOCK_DGRAM, server['udp'], receive)):
            for port in ports:
                try:
                    one = bound(kind, port)
                except OSError as failure:
                    print(f'{server["netns"]}: port {port} is not served: {failure.strerror}', file=sys.stderr)
                    continue
                if kind == socket.SOCK_STREAM:
                    one.listen(64)
                loops.append((loop, one, server))
    child = os.fork()
    if child:
        print(child)
        return
    os.setsid()
    silence = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(silence, number)
    threads = [threading.Thread(target=loop, args=(one, server)) for loop, one, server in loops]
    for thread in threads:
        thread.start()


main()
`
