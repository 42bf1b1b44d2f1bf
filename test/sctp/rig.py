"""Namespaces around a real router: the model's machine on one side, usrsctp on the other.

    model --cable-- c0 | rc  ROUTER (conntrack, NAT)  rs | s0  usrsctp

Arguments: family, rules for iptables-restore (a file), and the words of the program in the server's namespace, or `-`.
Speaks in lines: `F HEX` is a frame to or from the model; at `END` it prints `R JSON`, what the router saw, and leaves
nothing behind. Needs root, iproute2, iptables, conntrack and libusrsctp-examples.
"""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time

FAMILY = int(sys.argv[1])
RULES = sys.argv[2]
PROGRAM = sys.argv[3:]
NAMES = {place: f"sctp{os.getpid()}{place}" for place in "crs"}
ADDRESSES = {
    4: {"rc": "10.0.1.1/24", "rs": "10.0.2.1/24", "s0": "10.0.2.2/24", "via": "10.0.2.1"},
    6: {"rc": "fd00:1::1/64", "rs": "fd00:2::1/64", "s0": "fd00:2::2/64", "via": "fd00:2::1"},
}[FAMILY]
SCTP = 132


def run(*words, space=None, **more):
    prefix = ["ip", "netns", "exec", NAMES[space]] if space else []
    return subprocess.run(prefix + list(words), check=True, capture_output=True, **more)


def build():
    for name in NAMES.values():
        run("ip", "netns", "add", name)
    for left, right, at, to, macs in (("c0", "rc", "c", "r", "0c"), ("rs", "s0", "r", "s", "05")):
        run("ip", "link", "add", left, "netns", NAMES[at], "address", f"02:00:00:00:{macs}:01",
            "type", "veth", "peer", "name", right, "netns", NAMES[to], "address", f"02:00:00:00:{macs}:02")
    for space, link in (("c", "c0"), ("r", "rc"), ("r", "rs"), ("s", "s0"), ("s", "lo"), ("r", "lo")):
        for key in ("accept_dad=0", "disable_ipv6=0" if FAMILY == 6 else "disable_ipv6=1"):
            run("sysctl", "-qw", f"net.ipv6.conf.{link}.{key}", space=space)
        run("ip", "link", "set", link, "up", space=space)
        if link != "lo":
            run("ethtool", "-K", link, "tx", "off", "gro", "off", "gso", "off", space=space)
    for space, link in (("r", "rc"), ("r", "rs"), ("s", "s0")):
        run("ip", "addr", "add", ADDRESSES[link], "dev", link, *(["nodad"] if FAMILY == 6 else []), space=space)
    run("ip", f"-{FAMILY}", "route", "add", "default", "via", ADDRESSES["via"], space="s")
    run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1",
        "net.ipv4.conf.all.rp_filter=0", space="r")
    with open(RULES, "rb") as rules:
        run("iptables-restore" if FAMILY == 4 else "ip6tables-restore", space="r", stdin=rules)


def packet_socket(space, link):
    """A socket of that namespace: made there by a child that hands it over."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    child = os.fork()
    if child == 0:
        with open(f"/run/netns/{NAMES[space]}") as file:
            import ctypes
            ctypes.CDLL(None, use_errno=True).setns(file.fileno(), 0)
        made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        made.bind((link, 0))
        socket.send_fds(theirs, [b"."], [made.fileno()])
        os._exit(0)
    _, fds, _, _ = socket.recv_fds(ours, 1, 1)
    os.waitpid(child, 0)
    return socket.socket(fileno=fds[0])


def is_sctp(frame):
    """Also where it is about SCTP."""
    if frame[12:14] == b"\x08\x00":
        return frame[23] in (1, SCTP)
    return frame[12:14] == b"\x86\xdd" and frame[20] == SCTP


def now():
    return time.clock_gettime(time.CLOCK_MONOTONIC)


def main():
    build()
    cable = packet_socket("c", "c0")
    taps = {link: packet_socket("r", link) for link in ("rc", "rs")}
    events = subprocess.Popen(["ip", "netns", "exec", NAMES["r"], "conntrack", "-E", "-p", "sctp"],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    program = None
    if PROGRAM != ["-"]:
        program = subprocess.Popen(["ip", "netns", "exec", NAMES["s"]] + PROGRAM, stdin=subprocess.PIPE,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(0.5)
    print("READY", flush=True)
    seen = []
    texts = []
    buffers = {"stdin": b"", "events": b""}

    def drain(until):
        while True:
            waiting = [cable, *taps.values(), sys.stdin.fileno(), events.stdout.fileno()]
            ready, _, _ = select.select(waiting, [], [], max(0, until - now()))
            for link, tap in taps.items():
                if tap in ready:
                    frame, address = tap.recvfrom(65535)
                    if is_sctp(frame):
                        seen.append({"at": now(), "link": link, "out": address[2] == 4, "frame": frame.hex()})
            if events.stdout.fileno() in ready:
                buffers["events"] += os.read(events.stdout.fileno(), 65536)
            if cable in ready:
                frame, address = cable.recvfrom(65535)
                if address[2] != 4:
                    print("F", frame.hex(), flush=True)
            if sys.stdin.fileno() in ready:
                data = os.read(sys.stdin.fileno(), 65536)
                if not data:
                    return
                buffers["stdin"] += data
                *lines, buffers["stdin"] = buffers["stdin"].split(b"\n")
                for line in lines:
                    if line == b"END":
                        return
                    if line.startswith(b"F "):
                        cable.send(bytes.fromhex(line[2:].decode()))
                    if line.startswith(b"T ") and program is not None:
                        program.stdin.write(bytes.fromhex(line[2:].decode()))
                        program.stdin.flush()
                    if line == b"Q" and program is not None:
                        program.stdin.close()
            if not ready and now() >= until:
                return

    try:
        drain(now() + 60)
        os.set_blocking(events.stdout.fileno(), False)
        time.sleep(0.2)
        rest = events.stdout.read() or b""
        texts = (buffers["events"] + rest).decode().splitlines()
        print("R", json.dumps({"seen": sorted(seen, key=lambda one: one["at"]), "conntrack": texts}), flush=True)
    finally:
        for process in (events, program):
            if process is not None:
                process.send_signal(signal.SIGKILL)
                process.wait()
        for name in NAMES.values():
            subprocess.run(["ip", "netns", "del", name], check=False)


main()
