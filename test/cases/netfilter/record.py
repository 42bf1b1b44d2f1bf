#!/usr/bin/env python3
"""Records what the real kernel's netfilter does with single packets: `unshare -n python3 record.py [OLD] > kernel-cases.json`.

A router namespace R lies between two wires, a and b. Nobody lives on the wires: every packet is made here, byte for
byte, and everything that R puts on a wire is kept, with `conntrack -L` after each packet. Python's standard library,
iproute2, iptables 1.8, conntrack-tools and ethtool; root (or a user namespace).
"""
import ipaddress, json, os, random, re, select, socket, struct, subprocess, sys, time

R = f'podwalk-nf-{os.getpid()}'
MAC = {'a': '02:00:00:00:0a:01', 'b': '02:00:00:00:0b:01', 'r0': '02:00:00:00:00:01', 'r1': '02:00:00:00:00:02'}
FAR = {'a': '02:00:00:00:0a:02', 'b': '02:00:00:00:0b:02'}


def run(*args, stdin=None, check=True):
    done = subprocess.run(args, input=stdin, capture_output=True, text=True)
    if check and done.returncode:
        sys.exit(f"{' '.join(args)}: {done.stderr}")
    return done.stdout


def router(*args, **more):
    return run('ip', 'netns', 'exec', R, *args, **more)


def up(rules, rules6, sysctls):
    run('ip', 'netns', 'add', R)
    for wire, link in (('a', 'r0'), ('b', 'r1')):
        run('ip', 'link', 'add', 'name', wire, 'address', MAC[wire], 'type', 'veth', 'peer', 'name', link, 'address', MAC[link], 'netns', R)
        run('sysctl', '-qw', f'net.ipv6.conf.{wire}.disable_ipv6=1')
        run('ip', 'link', 'set', 'dev', wire, 'up', 'arp', 'off')
    for key in ('default', 'all', 'r0', 'r1'):
        router('sysctl', '-qw', f'net.ipv4.conf.{key}.rp_filter=0', f'net.ipv6.conf.{key}.accept_dad=0', f'net.ipv6.conf.{key}.router_solicitations=0', f'net.ipv6.conf.{key}.addr_gen_mode=1')
    router('sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1', 'net.ipv4.icmp_ratelimit=0', 'net.ipv6.icmp.ratelimit=0', *[f'{k}={v}' for k, v in sysctls.items()])
    for link in ('r0', 'r1'):
        n = int(link[1]) + 1
        router('ethtool', '-K', link, 'tx', 'off', 'gro', 'off', check=False)
        router('ip', 'link', 'set', link, 'up')
        router('ip', 'address', 'add', f'10.0.{n}.1/24', 'dev', link)
        router('ip', 'address', 'add', f'fd00:{n}::1/64', 'dev', link, 'nodad')
        for host in range(2, 10):
            mac = FAR['a' if n == 1 else 'b']
            router('ip', 'neigh', 'add', f'10.0.{n}.{host}', 'lladdr', mac, 'nud', 'permanent', 'dev', link)
            router('ip', 'neigh', 'add', f'fd00:{n}::{host}', 'lladdr', mac, 'nud', 'permanent', 'dev', link)
    router('ip', 'route', 'add', '192.0.2.0/24', 'via', '10.0.2.9')
    router('ip', 'link', 'set', 'lo', 'up')
    if rules:
        router('iptables-restore', stdin=rules)
    if rules6:
        router('ip6tables-restore', stdin=rules6)
    sockets = {}
    for wire in ('a', 'b'):
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        s.bind((wire, 0))
        sockets[wire] = s
    return sockets


def down(sockets):
    for s in sockets.values():
        s.close()
    run('ip', 'netns', 'del', R)
    run('ip', 'link', 'del', 'dev', 'a', check=False)
    run('ip', 'link', 'del', 'dev', 'b', check=False)
    time.sleep(0.05)


# --- packets -------------------------------------------------------------------------------------------------------

def csum(data):
    if len(data) % 2:
        data += b'\0'
    total = sum(struct.unpack(f'!{len(data) // 2}H', data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def pack(address):
    return ipaddress.ip_address(address).packed


def l4(src, dst, proto, data, at):
    """Puts the checksum over pseudo header and data at offset `at`."""
    s, d = pack(src), pack(dst)
    pseudo = s + d + (struct.pack('!BBH', 0, proto, len(data)) if len(s) == 4 else struct.pack('!IHBB', len(data), 0, 0, proto))
    return data[:at] + struct.pack('!H', csum(pseudo + data) or 0xffff) + data[at + 2:]


def ip(src, dst, proto, data, ttl=64, ident=0x1234, flags=0x4000):
    s, d = pack(src), pack(dst)
    if len(s) == 16:
        return struct.pack('!IHBB', 6 << 28, len(data), proto, ttl) + s + d + data
    head = struct.pack('!BBHHHBBH', 0x45, 0, 20 + len(data), ident, flags, ttl, proto, 0) + s + d
    return head[:10] + struct.pack('!H', csum(head)) + head[12:] + data


def udp(src, sport, dst, dport, data=b'hello', **more):
    return ip(src, dst, 17, l4(src, dst, 17, struct.pack('!HHHH', sport, dport, 8 + len(data), 0) + data, 6), **more)


FLAG = {'F': 1, 'S': 2, 'R': 4, 'P': 8, 'A': 16, 'U': 32}
SYN_OPTIONS = struct.pack('!BBHBBBBBBBB', 2, 4, 1460, 1, 3, 3, 7, 4, 2, 1, 1)


def tcp(src, sport, dst, dport, flags, seq=0, ack=0, win=64240, data=b'', options=None, **more):
    if options is None:
        options = SYN_OPTIONS if 'S' in flags else b''
    bits = sum(FLAG[f] for f in flags)
    head = struct.pack('!HHIIBBHHH', sport, dport, seq & 0xffffffff, ack & 0xffffffff, (20 + len(options)) << 2, bits, win, 0, 0) + options + data
    return ip(src, dst, 6, l4(src, dst, 6, head, 16), **more)


def icmp(src, dst, kind, code, rest, **more):
    if ':' in src:
        return ip(src, dst, 58, l4(src, dst, 58, struct.pack('!BBH', kind, code, 0) + rest, 2), **more)
    data = struct.pack('!BBH', kind, code, 0) + rest
    return ip(src, dst, 1, data[:2] + struct.pack('!H', csum(data)) + data[4:], **more)


def ping(src, dst, ident, seq=1, reply=False, **more):
    kind = (129 if reply else 128) if ':' in src else (0 if reply else 8)
    return icmp(src, dst, kind, 0, struct.pack('!HH', ident, seq) + b'abcdefgh', **more)


def error(src, dst, kind, code, quoted, word=0, cut=None, **more):
    return icmp(src, dst, kind, code, struct.pack('!I', word) + quoted[:cut], **more)


CRC = []
for n in range(256):
    for _ in range(8):
        n = (n >> 1) ^ 0x82f63b78 if n & 1 else n >> 1
    CRC.append(n)


def crc32c(data):
    c = 0xffffffff
    for byte in data:
        c = CRC[(c ^ byte) & 255] ^ (c >> 8)
    return struct.pack('<I', c ^ 0xffffffff)


def sctp(src, sport, dst, dport, tag, chunk, **more):
    data = struct.pack('!HHII', sport, dport, tag, 0) + chunk
    return ip(src, dst, 132, data[:8] + crc32c(data) + data[12:], **more)


def chunk(kind, body=b'', flags=0):
    return struct.pack('!BBH', kind, flags, 4 + len(body)) + body


def init(kind, tag):
    return chunk(kind, struct.pack('!IIHHI', tag, 65536, 10, 10, 1))


def frags(packet, at, ident=0x77):
    """Two IPv4 fragments of `packet`, the second beginning `at` octets into its payload."""
    src, dst, proto, data = socket.inet_ntoa(packet[12:16]), socket.inet_ntoa(packet[16:20]), packet[9], packet[20:]
    return [ip(src, dst, proto, data[:at], ident=ident, flags=0x2000), ip(src, dst, proto, data[at:], ident=ident, flags=at // 8)]


def frags6(packet, at, ident=0x77):
    """The same for IPv6."""
    src, dst, data = packet[8:24], packet[24:40], packet[40:]

    def part(offset, chunk, more):
        head = struct.pack('!BBHI', packet[6], 0, offset | more, ident)
        return struct.pack('!IHBB', 6 << 28, 8 + len(chunk), 44, packet[7]) + src + dst + head + chunk
    return [part(0, data[:at], 1), part(at, data[at:], 0)]


# --- cases ---------------------------------------------------------------------------------------------------------

def case(name, rules='', steps=(), rules6='', sysctls=None):
    return dict(name=name, rules=text(rules), rules6=text(rules6), sysctls=sysctls or {}, steps=list(steps))


def text(rules):
    """`nat: -A POSTROUTING ...` lines and `nat: :CHAIN` lines to an iptables-restore input."""
    tables = {}
    for line in rules.strip().splitlines():
        table, rest = line.strip().split(': ', 1)
        tables.setdefault(table, []).append(rest)
    out = ''
    for table, lines in tables.items():
        chains = [l if ' ' in l else f'{l} - [0:0]' for l in lines if l.startswith(':')]
        out += '\n'.join([f'*{table}', *chains, *[l for l in lines if not l.startswith(':')], 'COMMIT', ''])
    return out


def a(packet, **more):
    return dict(wire='a', packet=packet, **more)


def b(packet, **more):
    return dict(wire='b', packet=packet, **more)


def wait(seconds):
    return dict(wait=seconds)


A, A3, B, B3, VIP = '10.0.1.2', '10.0.1.3', '10.0.2.2', '10.0.2.3', '10.0.9.9'
A6, A63, B6, VIP6 = 'fd00:1::2', 'fd00:1::3', 'fd00:2::2', 'fd00:9::9'
R1, R16 = '10.0.2.1', 'fd00:2::1'

MASQ = 'nat: -A POSTROUTING -o r1 -j MASQUERADE'
DNAT = f'nat: -A PREROUTING -d {VIP} -p tcp --dport 80 -j DNAT --to-destination {B}:8080'
DNATU = f'nat: -A PREROUTING -d {VIP} -p udp --dport 53 -j DNAT --to-destination {B}:5353'
SERVICE = f'''
nat: :KUBE-SERVICES
nat: :KUBE-SVC
nat: :KUBE-SEP-1
nat: :KUBE-SEP-2
nat: :KUBE-MARK-MASQ
nat: :KUBE-POSTROUTING
nat: -A PREROUTING -j KUBE-SERVICES
nat: -A POSTROUTING -j KUBE-POSTROUTING
nat: -A KUBE-MARK-MASQ -j MARK --or-mark 0x4000
nat: -A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
nat: -A KUBE-POSTROUTING -j MARK --xor-mark 0x4000
nat: -A KUBE-POSTROUTING -j MASQUERADE --random-fully
nat: -A KUBE-SERVICES -d {VIP}/32 -p tcp -m tcp --dport 80 -j KUBE-SVC
nat: -A KUBE-SVC ! -s 10.0.1.0/25 -j KUBE-MARK-MASQ
nat: -A KUBE-SVC -m statistic --mode random --probability 0.5 -j KUBE-SEP-1
nat: -A KUBE-SVC -j KUBE-SEP-2
nat: -A KUBE-SEP-1 -s {B}/32 -j KUBE-MARK-MASQ
nat: -A KUBE-SEP-1 -p tcp -m tcp -j DNAT --to-destination {B}:8080
nat: -A KUBE-SEP-2 -s {B3}/32 -j KUBE-MARK-MASQ
nat: -A KUBE-SEP-2 -p tcp -m tcp -j DNAT --to-destination {B3}:8080
'''
STATE = 'filter: -A FORWARD -m conntrack --ctstate INVALID -j DROP'


def shake(c, s, seq=1000, ack=5000, **more):
    """A handshake, c -> s, from wire a; the answers on wire b."""
    return [a(tcp(*c, *s, 'S', seq)), b(tcp(*s, *c, 'SA', ack, seq + 1)), a(tcp(*c, *s, 'A', seq + 1, ack + 1))]


def connection(c, s, last=()):
    """Handshake, data both ways, an orderly end from c."""
    return [
        *shake(c, s),
        a(tcp(*c, *s, 'PA', 1001, 5001, data=b'x' * 100)),
        b(tcp(*s, *c, 'A', 5001, 1101)),
        b(tcp(*s, *c, 'PA', 5001, 1101, data=b'y' * 50)),
        a(tcp(*c, *s, 'FA', 1101, 5051)),
        b(tcp(*s, *c, 'FA', 5051, 1102)),
        a(tcp(*c, *s, 'A', 1102, 5052)),
        *last,
    ]


C, S = (A, 40000), (B, 80)
C6, S6 = (A6, 40000), (B6, 80)


def random_tcp(seed):
    """Segments around what would be right, from both sides."""
    rnd = random.Random(seed)
    masquerade = rnd.random() < .2
    client = {'a': C, 'b': (R1, 40000) if masquerade else C}
    start = {'a': rnd.choice([1000, 0xfffffff0, 0x7fffffff]), 'b': rnd.choice([5000, 0xfffffff8, 0])}
    at, options = dict(start), {w: rnd.choice([None, None, b'']) for w in 'ab'}
    segments = []
    for wire, flags in [('a', 'S'), ('b', 'SA'), ('a', 'A')]:
        if rnd.random() < .15:
            break
        segments.append((wire, flags, at[wire], at['b' if wire == 'a' else 'a'], 0))
        at[wire] += 'S' in flags
    for _ in range(rnd.randint(4, 10)):
        wire = rnd.choice('ab')
        other = 'b' if wire == 'a' else 'a'
        flags = rnd.choice(['A', 'A', 'A', 'PA', 'PA', 'FA', 'FA', 'RA', 'R', 'S', 'SA'])
        off = lambda: rnd.choice([0] * 6 + [1, -1, 10, -10, 1000, -1000, 66000, -66000, 70000, 8222720, -8222720, rnd.getrandbits(32)])
        seq, ack, length = at[wire] + off(), at[other] + off(), rnd.choice([1, 10, 1400]) if 'P' in flags else 0
        segments.append((wire, flags, 0 if rnd.random() < .05 else seq, 0 if rnd.random() < .1 else ack, length))
        if seq == at[wire]:
            at[wire] += length + ('S' in flags) + ('F' in flags)
    steps = []
    for wire, flags, seq, ack, length in segments:
        src, dst = (C, S) if wire == 'a' else (S, client[wire])
        win = rnd.choice([64240, 64240, 64240, 1000, 0, 65535])
        packet = tcp(*src, *dst, flags, seq, ack if 'A' in flags else 0, win, b'x' * length, options=options[wire] if 'S' in flags else None)
        steps.append(dict(wire=wire, packet=packet))
    liberal = {'net.netfilter.nf_conntrack_tcp_be_liberal': 1} if rnd.random() < .1 else {}
    return case(f'TCP: random segments {seed}', f'{STATE}\n{MASQ}' if masquerade else STATE, steps, sysctls=liberal)


CASES = [
    case('no rules: nothing is tracked', '', [a(udp(A, 1000, B, 53)), b(udp(B, 53, A, 1000))]),
    case('a rule about connections switches tracking on', 'filter: -A FORWARD -m conntrack --ctstate NEW -j ACCEPT',
         [a(udp(A, 1000, B, 53)), b(udp(B, 53, A, 1000)), a(udp(A, 1000, B, 53)), wait(2.1), a(udp(A, 1000, B, 53)), b(udp(B, 53, A, 1000))]),
    case('DNAT of UDP and its answer', f'{DNATU}', [a(udp(A, 1000, VIP, 53)), b(udp(B, 5353, A, 1000)), b(udp(B, 9999, A, 1000))]),
    case('DNAT and masquerade; the port is kept', f'{DNAT}\n{MASQ}',
         [a(tcp(A, 40000, VIP, 80, 'S', 1000)), b(tcp(B, 8080, R1, 40000, 'SA', 5000, 1001)), a(tcp(A, 40000, VIP, 80, 'A', 1001, 5001)),
          a(tcp(A, 40000, VIP, 80, 'PA', 1001, 5001, data=b'GET')), b(tcp(B, 8080, R1, 40000, 'A', 5001, 1004))]),
    case('masquerade: the port clashes and another is drawn', MASQ,
         [a(udp(A, 7000, B, 53)), a(udp(A3, 7000, B, 53), draw=('nat-port', 1024)), a(udp(A3, 7000, B3, 53))]),
    case('masquerade: ports under 512 stay under 512', MASQ, [a(udp(A, 500, B, 53)), a(udp(A3, 500, B, 53), draw=('nat-port', 1))]),
    case('masquerade: ports under 1024 stay in 600 to 1023', MASQ, [a(udp(A, 700, B, 53)), a(udp(A3, 700, B, 53), draw=('nat-port', 600))]),
    case('masquerade --random-fully draws at once', f'{MASQ} --random-fully', [a(udp(A, 7000, B, 53), draw=('nat-port', 1024)), a(udp(A, 7000, B, 53))]),
    case('masquerade --to-ports', 'nat: -A POSTROUTING -o r1 -p udp -j MASQUERADE --to-ports 2000-2009',
         [a(udp(A, 2005, B, 53)), a(udp(A, 7000, B, 53), draw=('nat-port', 2000))]),
    case('the same source keeps its port to another destination', f'{MASQ} --random-fully', [a(udp(A, 7000, B, 53), draw=('nat-port', 1024)), a(udp(A, 7000, B3, 53), draw=('nat-port', 1024))]),
    case('a drawn port is kept for other destinations without --random', 'nat: -A POSTROUTING -o r1 -p udp -j MASQUERADE --to-ports 2000-2009',
         [a(udp(A, 7000, B, 53), draw=('nat-port', 2000)), a(udp(A, 7000, B3, 53))]),
    case('no NAT rule, but SNAT took the port: the null binding moves', 'nat: -A POSTROUTING -s 10.0.1.2 -j SNAT --to-source 10.0.1.9',
         [a(udp(A, 7000, B, 53)), a(udp('10.0.1.9', 7000, B, 53), draw=('nat-port', 1024)), b(udp(B, 53, '10.0.1.9', 7000))]),
    case('ping through masquerade: ids clash', MASQ,
         [a(ping(A, B, 77)), b(ping(B, R1, 77, reply=True)), a(ping(A3, B, 77), draw=('nat-port', 0)), b(ping(B, R1, 78, reply=True))]),
    case('ping reply without a request is invalid', STATE, [a(ping(A, B, 5, reply=True)), a(ping(A, B, 5)), b(ping(B, A, 5, reply=True))]),
    case('an ICMP error inside NAT is translated with the packet it quotes', f'{DNATU}\n{MASQ}',
         [a(udp(A, 1000, VIP, 53)), b(error(B, R1, 3, 3, udp(R1, 1000, B, 5353, ttl=63))),
          b(error('10.0.2.9', R1, 11, 0, udp(R1, 1000, B, 5353, ttl=1), cut=28)), b(error('10.0.2.9', R1, 3, 4, udp(R1, 1000, B, 5353, ttl=1), word=1400)),
          b(error('10.0.2.9', A, 3, 3, udp(R1, 1000, B, 5353)))]),
    case('an ICMP error from the client side', f'{DNATU}\n{MASQ}',
         [a(udp(A, 1000, VIP, 53)), b(udp(B, 5353, R1, 1000)), a(error(A, VIP, 3, 3, udp(VIP, 53, A, 1000, ttl=62)))]),
    case('an ICMP error about a ping', f'nat: -A PREROUTING -d {VIP} -j DNAT --to-destination {B}\n{MASQ}',
         [a(ping(A, VIP, 9)), b(error('10.0.2.9', R1, 11, 0, ping(R1, B, 9, ttl=1)))]),
    case('an ICMP error about nothing known is invalid', STATE, [b(error(B, A, 3, 3, udp(A, 1000, B, 53))), a(udp(A, 1000, B, 53)), b(error(B, A, 3, 3, udp(A, 1000, B, 53)))]),
    case('an ICMP redirect about a flow with NAT is dropped', f'{DNATU}', [a(udp(A, 1000, VIP, 53)), b(error('10.0.2.9', A, 5, 1, udp(A, 1000, B, 5353), word=0x0a000208))]),
    case('RELATED and ESTABLISHED are let through, the rest is not',
         'filter: -A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\nfilter: -A FORWARD -i r0 -j ACCEPT\nfilter: -A FORWARD -j DROP',
         [b(udp(B, 53, A, 1000)), a(udp(A, 1000, B, 53)), b(udp(B, 53, A, 1000)), b(error(B, A, 3, 3, udp(A, 1000, B, 53))), b(udp(B, 54, A, 1000))]),
    case('ctstate DNAT and SNAT', f'{DNATU}\nfilter: -A FORWARD -m conntrack --ctstate DNAT -j ACCEPT\nfilter: -A FORWARD -j DROP',
         [a(udp(A, 1000, VIP, 53)), b(udp(B, 5353, A, 1000)), a(udp(A, 1000, B, 53))]),
    case('TCP from SYN to the last ACK', STATE, connection(C, S)),
    case('TCP: a reset in answer to the SYN ends the entry', STATE, [a(tcp(*C, *S, 'S', 1000)), b(tcp(*S, *C, 'RA', 0, 1001)), b(tcp(*S, *C, 'A', 1, 1))]),
    case('TCP: a reset in the middle', STATE, [*shake(C, S), a(tcp(*C, *S, 'RA', 1001, 5001)), a(tcp(*C, *S, 'A', 1001, 5001))]),
    case('TCP: a reset that is not exactly where it should be', STATE, [*shake(C, S), b(tcp(*S, *C, 'R', 5500)), b(tcp(*S, *C, 'R', 4000)), b(tcp(*S, *C, 'R', 5001))]),
    case('TCP: a reset right behind data', STATE, [*shake(C, S), b(tcp(*S, *C, 'PA', 5001, 1001, data=b'z' * 20)), b(tcp(*S, *C, 'RA', 5021, 1001))]),
    case('TCP: SYN sent again does not prolong the entry', STATE, [a(tcp(*C, *S, 'S', 1000)), wait(2.1), a(tcp(*C, *S, 'S', 1000))]),
    case('TCP: SYN-ACK without a SYN is invalid, and so is RST', STATE, [b(tcp(*S, *C, 'SA', 5000, 1)), b(tcp(*S, *C, 'R', 1)), b(tcp(*S, *C, 'FA', 1, 1))]),
    case('TCP: picked up in the middle of a flow', STATE, [a(tcp(*C, *S, 'A', 1, 1)), b(tcp(*S, *C, 'A', 1, 1)), a(tcp(*C, *S, 'PA', 1, 1, data=b'm' * 10)), b(tcp(*S, *C, 'A', 1, 11)), b(tcp(*S, *C, 'A', 900000, 900000))]),
    case('TCP: not picked up where loose is off', STATE, [a(tcp(*C, *S, 'A', 1, 1)), a(tcp(*C, *S, 'S', 1))], sysctls={'net.netfilter.nf_conntrack_tcp_loose': 0}),
    case('TCP: flags that cannot be are invalid', STATE, [a(tcp(*C, *S, 'SF', 1)), a(tcp(*C, *S, '', 1)), a(tcp(*C, *S, 'FPU', 1)), a(tcp(*C, *S, 'SR', 1)), a(tcp(*C, *S, 'SPU', 1))]),
    case('TCP: an ACK of what was never sent is invalid', STATE, [*shake(C, S), a(tcp(*C, *S, 'A', 1001, 9000)), a(tcp(*C, *S, 'A', 1001, 5001))]),
    case('TCP: data over the window is invalid, be_liberal lets it through', STATE, [*shake(C, S), a(tcp(*C, *S, 'PA', 1001 + 64240 * 128 + 2000, 5001, data=b'q'))]),
    case('TCP: be_liberal', STATE, [*shake(C, S), a(tcp(*C, *S, 'PA', 1001 + 64240 * 128 + 2000, 5001, data=b'q')), b(tcp(*S, *C, 'R', 4000))], sysctls={'net.netfilter.nf_conntrack_tcp_be_liberal': 1}),
    case('TCP: old data again is let through', STATE, [*connection(C, S)[:6], a(tcp(*C, *S, 'PA', 1001, 5001, data=b'x' * 100)), a(tcp(*C, *S, 'A', 1001 - 70000, 5001))]),
    case('TCP: without window scaling 64 k are the limit', STATE,
         [a(tcp(*C, *S, 'S', 1000, options=b'')), b(tcp(*S, *C, 'SA', 5000, 1001, options=b'')), a(tcp(*C, *S, 'A', 1001, 5001)), a(tcp(*C, *S, 'PA', 1001 + 70000, 5001, data=b'q')), a(tcp(*C, *S, 'PA', 1001 + 64000, 5001, data=b'q'))]),
    case('TCP: only one side scales, so neither does', STATE,
         [a(tcp(*C, *S, 'S', 1000)), b(tcp(*S, *C, 'SA', 5000, 1001, options=b'')), a(tcp(*C, *S, 'A', 1001, 5001)), a(tcp(*C, *S, 'PA', 1001 + 70000, 5001, data=b'q'))]),
    case('TCP: SYN on a live flow is let through; the answer tells', STATE,
         [*shake(C, S), a(tcp(*C, *S, 'S', 900000)), b(tcp(*S, *C, 'A', 5001, 1001)), a(tcp(*C, *S, 'R', 1001)), a(tcp(*C, *S, 'S', 900000))]),
    case('TCP: SYN on a live flow that the server takes', STATE, [*shake(C, S), a(tcp(*C, *S, 'S', 900000)), b(tcp(*S, *C, 'SA', 700000, 900001)), a(tcp(*C, *S, 'A', 900001, 700001))]),
    case('TCP: a new flow after TIME_WAIT', STATE, connection(C, S, [a(tcp(*C, *S, 'S', 90000)), b(tcp(*S, *C, 'SA', 95000, 90001)), a(tcp(*C, *S, 'A', 90001, 95001))])),
    case('TCP: the server opens anew from TIME_WAIT', STATE, connection(C, S, [b(tcp(*S, *C, 'S', 90000)), a(tcp(*C, *S, 'SA', 95000, 90001))])),
    case('TCP: the server closes first', STATE, [*shake(C, S), b(tcp(*S, *C, 'FA', 5001, 1001)), a(tcp(*C, *S, 'A', 1001, 5002)), a(tcp(*C, *S, 'FA', 1001, 5002)), b(tcp(*S, *C, 'A', 5002, 1002))]),
    case('TCP: both open at once', STATE, [a(tcp(*C, *S, 'S', 1000)), b(tcp(*S, *C, 'S', 5000)), a(tcp(*C, *S, 'SA', 1000, 5001)), b(tcp(*S, *C, 'SA', 5000, 1001)), b(tcp(*S, *C, 'A', 5001, 1001))]),
    case('TCP: answer to a SYN is an ACK (half open), then RST', STATE, [a(tcp(*C, *S, 'S', 1000)), b(tcp(*S, *C, 'A', 700, 600)), a(tcp(*C, *S, 'R', 600)), a(tcp(*C, *S, 'S', 1000)), b(tcp(*S, *C, 'SA', 5000, 1001))]),
    case('TCP: the same ACK over and over shortens the entry', STATE, [*shake(C, S), *[b(tcp(*S, *C, 'A', 5001, 1001)) for _ in range(5)]]),
    case('TCP: a zero window', STATE, [*shake(C, S), b(tcp(*S, *C, 'A', 5001, 1001, win=0)), a(tcp(*C, *S, 'A', 1001, 5001)), b(tcp(*S, *C, 'A', 5001, 1001, win=500))]),
    case('TCP: FIN on both sides outside the window', STATE, [*shake(C, S), a(tcp(*C, *S, 'FA', 1001 + 64240 * 128 + 2000, 5001)), b(tcp(*S, *C, 'FA', 5001 + 64240 * 128 + 2000, 1001))]),
    case('TCP: overrun of the window by a little', STATE, [*shake(C, S), b(tcp(*S, *C, 'A', 5001, 1001, win=10)), a(tcp(*C, *S, 'PA', 1001, 5001, data=b'd' * 1400)), a(tcp(*C, *S, 'PA', 1001 + 64240 * 128 - 100, 5001, data=b'd' * 1400))]),
    case('REJECT answers with ICMP port unreachable', f'filter: -A FORWARD -d {B} -p udp --dport 99 -j REJECT', [a(udp(A, 1000, B, 99)), a(udp(A, 1000, B, 98))]),
    case('REJECT codes', 'filter: -A FORWARD -p udp --dport 1 -j REJECT --reject-with icmp-net-unreachable\nfilter: -A FORWARD -p udp --dport 2 -j REJECT --reject-with icmp-host-unreachable\nfilter: -A FORWARD -p udp --dport 3 -j REJECT --reject-with icmp-proto-unreachable\nfilter: -A FORWARD -p udp --dport 4 -j REJECT --reject-with icmp-net-prohibited\nfilter: -A FORWARD -p udp --dport 5 -j REJECT --reject-with icmp-host-prohibited\nfilter: -A FORWARD -p udp --dport 6 -j REJECT --reject-with icmp-admin-prohibited',
         [a(udp(A, 1000, B, n)) for n in range(1, 8)]),
    case('REJECT with a TCP reset', 'filter: -A FORWARD -p tcp --dport 81 -j REJECT --reject-with tcp-reset', [a(tcp(A, 40000, B, 81, 'S', 1000)), a(tcp(A, 40000, B, 81, 'A', 1000, 77)), a(tcp(A, 40000, B, 81, 'R', 1000))]),
    case('REJECT of a DNATed connection shows the first address', f'{DNAT}\nfilter: -A FORWARD -p tcp -d {B} -j REJECT --reject-with tcp-reset', [a(tcp(A, 40000, VIP, 80, 'S', 1000))]),
    case('REJECT of a DNATed datagram shows what the client sent', f'{DNATU}\nfilter: -A FORWARD -p udp -d {B} -j REJECT', [a(udp(A, 1000, VIP, 53))]),
    case('session affinity by recent', f'''
nat: :SVC
nat: :SEP1
nat: :SEP2
nat: -A PREROUTING -d {VIP} -p tcp --dport 80 -j SVC
nat: -A SVC -m recent --name SEP1 --rcheck --seconds 2 --reap -j SEP1
nat: -A SVC -m recent --name SEP2 --rcheck --seconds 2 --reap -j SEP2
nat: -A SVC -m statistic --mode nth --every 2 --packet 0 -j SEP1
nat: -A SVC -j SEP2
nat: -A SEP1 -m recent --name SEP1 --set -p tcp -j DNAT --to-destination {B}:8080
nat: -A SEP2 -m recent --name SEP2 --set -p tcp -j DNAT --to-destination {B3}:8080''',
         [a(tcp(A, 1, VIP, 80, 'S', 1)), a(tcp(A3, 1, VIP, 80, 'S', 1)), a(tcp(A, 2, VIP, 80, 'S', 1)), a(tcp(A3, 2, VIP, 80, 'S', 1)), wait(1.2), a(tcp(A, 3, VIP, 80, 'S', 1)), wait(1.2),
          a(tcp(A, 4, VIP, 80, 'S', 1)), a(tcp(A3, 3, VIP, 80, 'S', 1)), wait(2.3), a(tcp(A3, 4, VIP, 80, 'S', 1)), a(tcp(A, 5, VIP, 80, 'S', 1))]),
    case('recent: hitcount, update, remove', '''
filter: -A FORWARD -p udp --dport 1 -m recent --name L --set -j ACCEPT
filter: -A FORWARD -p udp --dport 2 -m recent --name L --rcheck --hitcount 3 -j DROP
filter: -A FORWARD -p udp --dport 3 -m recent --name L --update --seconds 60 --hitcount 2 -j DROP
filter: -A FORWARD -p udp --dport 4 -m recent --name L --remove -j DROP
filter: -A FORWARD -p udp --dport 5 -m recent ! --rcheck --name L --rdest -j DROP''',
         [a(udp(A, 9, B, n)) for n in (2, 1, 2, 1, 2, 1, 2, 3, 3, 4, 4, 2, 3, 5, 1, 5)]),
    case('a service with two backends and the masquerade mark', SERVICE,
         [a(tcp(A, 1, VIP, 80, 'S', 1), draw=('statistic', {B: [0], B3: [1]})), a(tcp(A, 2, VIP, 80, 'S', 1), draw=('statistic', {B: [0], B3: [1]})), a(tcp(A, 3, VIP, 80, 'S', 1), draw=('statistic', {B: [0], B3: [1]})),
          a(tcp(A, 4, VIP, 80, 'S', 1), draw=('statistic', {B: [0], B3: [1]}))]),
    case('statistic nth, inverted', 'filter: -A FORWARD -m statistic --mode nth ! --every 3 --packet 1 -j DROP', [a(udp(A, 1000, B, n)) for n in range(1, 8)]),
    case('SNAT over a range of addresses', 'nat: -A POSTROUTING -o r1 -j SNAT --to-source 10.0.2.100-10.0.2.119', [a(udp(f'10.0.1.{h}', 1000 + h, d, 53)) for h in range(2, 10) for d in (B, B3)]),
    case('SNAT over a range, persistent', 'nat: -A POSTROUTING -o r1 -j SNAT --to-source 10.0.2.100-10.0.2.119 --persistent', [a(udp(f'10.0.1.{h}', 1000 + h, d, 53)) for h in range(2, 10) for d in (B, B3)]),
    case('DNAT over a range of addresses and ports', f'nat: -A PREROUTING -d {VIP} -p udp -j DNAT --to-destination 10.0.2.2-10.0.2.9:2000-2003', [a(udp(f'10.0.1.{h}', 1000 + h, VIP, p)) for h in range(2, 10) for p in (53, 2002)]),
    case('DNAT of the port alone', 'nat: -A PREROUTING -p udp --dport 53 -j DNAT --to-destination :5353', [a(udp(A, 1000, B, 53)), b(udp(B, 5353, A, 1000))]),
    case('REDIRECT goes to the router', 'nat: -A PREROUTING -p udp --dport 53 -j REDIRECT --to-ports 5353\nfilter: -A INPUT -p udp --dport 5353 -j REJECT', [a(udp(A, 1000, B, 53))]),
    case('notrack', f'raw: -A PREROUTING -p udp --dport 53 -j CT --notrack\n{MASQ}\nfilter: -A FORWARD -m conntrack --ctstate UNTRACKED -j ACCEPT\nfilter: -A FORWARD -p udp --dport 54 -j DROP',
         [a(udp(A, 1000, B, 53)), a(udp(A, 1000, B, 54)), a(udp(A, 1000, B, 55))]),
    case('fragments go through NAT whole', f'{DNATU}\n{MASQ}', [*[a(f) for f in frags(udp(A, 1000, VIP, 53, data=b'f' * 1000), 512)], *[b(f) for f in reversed(frags(udp(B, 5353, R1, 1000, data=b'g' * 900), 400))]]),
    case('fragments without tracking go one by one; a later one has no ports', 'filter: -A FORWARD -p udp --dport 53 -j DROP', [a(f) for f in frags(udp(A, 1000, B, 53, data=b'f' * 1000), 512)]),
    case('chains: return, goto, and the end of a chain', '''
filter: :X
filter: :Y
filter: :Z
filter: -A FORWARD -p udp --dport 1 -j X
filter: -A FORWARD -p udp --dport 2 -g X
filter: -A FORWARD -p udp --dport 3 -j Z
filter: -A FORWARD -p udp -j DROP
filter: -A X -j Y
filter: -A Y -p udp --sport 7 -j ACCEPT
filter: -A Y -j RETURN
filter: -A Y -j ACCEPT
filter: -A Z -g Y
filter: -A Z -j ACCEPT''', [a(udp(A, s, B, d)) for d in (1, 2, 3, 4) for s in (7, 8)]),
    case('policy DROP', 'filter: :FORWARD DROP [0:0]\nfilter: -A FORWARD -s 10.0.1.2 -j ACCEPT', [a(udp(A, 1, B, 1)), a(udp(A3, 1, B, 1))]),
    case('addrtype', f'filter: -A FORWARD -m addrtype --dst-type LOCAL -j DROP\nfilter: -A FORWARD -m addrtype ! --src-type UNICAST -j DROP\nmangle: -A PREROUTING -m addrtype --dst-type LOCAL -p udp --dport 1 -j DROP\nfilter: -A INPUT -p udp -j REJECT',
         [a(udp(A, 1, B, 1)), a(udp(A, 1, R1, 1)), a(udp(A, 1, R1, 2)), a(udp(A, 1, '10.0.1.255', 2))]),
    case('multiport, tcp flags, icmp type', '''
filter: -A FORWARD -p tcp -m multiport --dports 80,100:110 -j DROP
filter: -A FORWARD -p tcp -m multiport ! --ports 443,1 -j DROP
filter: -A FORWARD -p tcp --syn -j DROP
filter: -A FORWARD -p icmp --icmp-type 3/4 -j DROP
filter: -A FORWARD -p icmp ! --icmp-type any -j DROP
filter: -A FORWARD -p icmp --icmp-type 8 -j DROP''',
         [a(tcp(A, 1, B, 80, 'A')), a(tcp(A, 1, B, 105, 'A')), a(tcp(A, 1, B, 111, 'A')), a(tcp(A, 2, B, 111, 'A')), a(tcp(A, 1, B, 443, 'S')), a(tcp(A, 1, B, 443, 'SA')), a(ping(A, B, 1)), a(ping(A, B, 1, reply=True)), a(error(A, B, 3, 4, udp(B, 1, A, 1))), a(error(A, B, 3, 3, udp(B, 1, A, 1)))]),
    case('marks', '''
mangle: -A PREROUTING -j MARK --set-mark 0xff
mangle: -A PREROUTING -p udp --dport 1 -j MARK --and-mark 0xf
mangle: -A PREROUTING -p udp --dport 2 -j MARK --xor-mark 0xf
mangle: -A PREROUTING -p udp --dport 3 -j MARK --set-mark 0x100/0xf0
filter: -A FORWARD -m mark --mark 0xf -p udp --dport 1 -j DROP
filter: -A FORWARD -m mark --mark 0xf0 -p udp --dport 2 -j DROP
filter: -A FORWARD -m mark --mark 0x10f -p udp --dport 3 -j DROP
filter: -A FORWARD -m mark ! --mark 0x80/0x80 -p udp --dport 4 -j DROP
filter: -A FORWARD -m mark --mark 0x80/0x80 -p udp --dport 5 -j DROP''', [a(udp(A, 9, B, n)) for n in range(1, 6)]),
    case('interfaces', 'filter: -A FORWARD -i r+ -o r0 -j DROP\nfilter: -A FORWARD ! -i r0 -j DROP\nfilter: -A FORWARD -o r1 -p udp --dport 2 -j DROP\nmangle: -A POSTROUTING -o r1 -p udp --dport 3 -j DROP\nmangle: -A PREROUTING -i r0 -p udp --dport 4 -j DROP',
         [a(udp(A, 1, B, n)) for n in (1, 2, 3, 4)] + [b(udp(B, 1, A, 1))]),
    case('SCTP association through NAT', f'nat: -A PREROUTING -d {VIP} -p sctp --dport 90 -j DNAT --to-destination {B}:9090\n{MASQ}\n{STATE}',
         [a(sctp(A, 5000, VIP, 90, 0, init(1, 0x1111))), b(sctp(B, 9090, R1, 5000, 0x1111, init(2, 0x2222))), a(sctp(A, 5000, VIP, 90, 0x2222, chunk(10, b'cook'))), b(sctp(B, 9090, R1, 5000, 0x1111, chunk(11))),
          a(sctp(A, 5000, VIP, 90, 0x2222, chunk(0, b'x' * 16, 3))), b(sctp(B, 9090, R1, 5000, 0x9999, chunk(3, b'x' * 12))), a(sctp(A, 5000, VIP, 90, 0x2222, chunk(7, b'xxxx'))),
          b(sctp(B, 9090, R1, 5000, 0x1111, chunk(8))), a(sctp(A, 5000, VIP, 90, 0x2222, chunk(14)))]),
    case('SCTP abort', STATE, [a(sctp(A, 5000, B, 90, 0, init(1, 0x1111))), b(sctp(B, 90, A, 5000, 0x1111, chunk(6))), a(sctp(A, 5001, B, 90, 0x7, chunk(6))), a(sctp(A, 5001, B, 90, 0x7, init(1, 5)))]),
    case('other protocols are tracked by address', STATE + '\n' + MASQ, [a(ip(A, B, 4, udp('1.1.1.1', 1, '2.2.2.2', 2))), b(ip(B, R1, 4, udp('2.2.2.2', 2, '1.1.1.1', 1))), a(ip(A3, B, 4, udp('1.1.1.1', 1, '2.2.2.2', 2)))]),
    case('UDP of both sides at once', 'filter: -A FORWARD -m conntrack --ctstate NEW -p udp --dport 1 -j DROP\n' + MASQ, [a(udp(A, 1000, B, 1)), a(udp(A, 1000, B, 1000)), b(udp(B, 1000, R1, 1000))]),
    case('an entry that was never confirmed is forgotten', 'filter: -A FORWARD -m conntrack --ctstate NEW -p udp --dport 1 -j DROP', [a(udp(A, 1000, B, 1)), b(udp(B, 1, A, 1000)), a(udp(A, 1000, B, 1))]),
    case('who comes with the address of a service that stands for a server gets another port', DNATU, [a(udp(A, 1000, VIP, 53)), b(udp(VIP, 53, A, 1000), draw=('nat-port', 1))]),
    case('two services, one server: the second flow of one port gets another', f'{DNATU}\nnat: -A PREROUTING -d 10.0.9.8 -p udp --dport 53 -j DNAT --to-destination {B}:5353', [a(udp(A, 1000, VIP, 53)), a(udp(A, 1000, '10.0.9.8', 53), draw=('nat-port', 600)), a(udp(A, 1000, '10.0.9.8', 53)), b(udp(B, 5353, A, 1000))]),
    case('two services, one server: the same over TCP', f'{DNAT}\nnat: -A PREROUTING -d 10.0.9.8 -p tcp --dport 80 -j DNAT --to-destination {B}:8080', [a(tcp(A, 40000, VIP, 80, 'S', 1)), a(tcp(A, 40000, '10.0.9.8', 80, 'S', 1), draw=('nat-port', 1024))]),
    *[case(f'masquerade: port {port} clashes', MASQ, [a(udp(A, port, B, 53)), a(udp(A3, port, B, 53), draw=('nat-port', low))]) for port, low in ((511, 1), (512, 600), (1023, 600), (1024, 1024))],
    case('to the router itself', f'nat: -A PREROUTING -d {VIP} -p udp -j DNAT --to-destination {R1}:7\nfilter: -A INPUT -m conntrack --ctstate NEW -p udp --dport 8 -j DROP', [a(udp(A, 1, VIP, 7)), a(udp(A, 1, R1, 8)), a(ping(A, R1, 3)), a(ping(A, '10.0.1.1', 4))]),
    case('SNAT at INPUT', f'nat: -A INPUT -p icmp -j SNAT --to-source 10.0.1.7', [a(ping(A, '10.0.1.1', 4))]),
    case('masquerade to a next hop takes the address of its subnet', MASQ, [a(udp(A, 1, '192.0.2.5', 9))]),
    case('TCP: only the server scales, so neither does', STATE,
         [a(tcp(*C, *S, 'S', 1000, options=b'')), b(tcp(*S, *C, 'SA', 5000, 1001)), a(tcp(*C, *S, 'A', 1001, 5001)), a(tcp(*C, *S, 'PA', 1001 + 70000, 5001, data=b'q')), b(tcp(*S, *C, 'PA', 5001 + 70000, 1001, data=b'q'))]),
    case('TCP: the last octet of the window', STATE, [*shake(C, S), a(tcp(*C, *S, 'PA', 1001 + 64240 - 1, 5001, data=b'q')), a(tcp(*C, *S, 'PA', 1001 + 64240, 5001, data=b'q')), a(tcp(*C, *S, 'PA', 1001 + 64240 + 1, 5001, data=b'q')), a(tcp(*C, *S, 'A', 1001 + 64240 + 1, 5001))]),
    case('TCP: the last octet of the window, from the server', STATE, [*shake(C, S), b(tcp(*S, *C, 'A', 5001 + 64240 * 128, 1001)), b(tcp(*S, *C, 'A', 5001 + 64240 * 128 + 1, 1001)), b(tcp(*S, *C, 'A', 5001 + 64240 * 128 + 2, 1001))]),
    case('TCP: acknowledgements of just what was sent, and of one more', STATE, [*shake(C, S), b(tcp(*S, *C, 'A', 5001, 1002)), b(tcp(*S, *C, 'A', 5001, 1001)), a(tcp(*C, *S, 'PA', 1001, 5001, data=b'q' * 10)), b(tcp(*S, *C, 'A', 5001, 1012)), b(tcp(*S, *C, 'A', 5001, 1011)), a(tcp(*C, *S, 'A', 1010, 5001)), b(tcp(*S, *C, 'A', 5001, 1012))]),
    case('TCP: how old an acknowledgement may be', STATE, [*shake(C, S, seq=100000), a(tcp(*C, *S, 'PA', 100001, 5001, data=b'q' * 1000)), *[b(tcp(*S, *C, 'A', 5001, 101001 - n)) for n in (65999, 66000, 66001, 66002)],
          *[b(tcp(*S, *C, 'FA', 5001, 101001 - n)) for n in (66001, 66000)]]),
    case('TCP: how old data may be', STATE, [*shake(C, S, seq=10000000), b(tcp(*S, *C, 'A', 5001, 10000001, win=100)), *[a(tcp(*C, *S, 'FA', 10000000 - n, 5001)) for n in (64240 * 128 + 2, 64240 * 128 + 1, 64240 * 128, 64240 * 128 - 1)]]),
    case('TCP: SACK counts as acknowledgement', STATE, [*shake(C, S), a(tcp(*C, *S, 'PA', 1001, 5001, data=b'q' * 1000)), a(tcp(*C, *S, 'PA', 2001, 5001, data=b'q' * 1000)),
          b(tcp(*S, *C, 'A', 5001, 1001, options=b'\1\1' + struct.pack('!BBII', 5, 10, 2001, 3001))), b(tcp(*S, *C, 'A', 5001, 1001, options=b'\1\1' + struct.pack('!BBII', 5, 10, 2001, 3002))),
          b(tcp(*S, *C, 'A', 5001, 1001, options=b'\1\1' + struct.pack('!BBIIII', 5, 18, 2001, 2501, 2601, 3002)))]),
    case('TCP: keepalive of a flow that was picked up', STATE, [a(tcp(*C, *S, 'A', 1, 1000)), b(tcp(*S, *C, 'A', 1000, 2)), b(tcp(*S, *C, 'A', 1000, 3)), a(tcp(*C, *S, 'A', 2, 1001))]),
    case('TCP: the challenge ACK is not the last', STATE, [*connection(C, S)[:8], a(tcp(*C, *S, 'S', 90000)), b(tcp(*S, *C, 'A', 5052, 1102)), a(tcp(*C, *S, 'A', 1102, 5052))]),
    case('TCP: answer to a SYN is an ACK (half open), then a reset of something else', STATE, [a(tcp(*C, *S, 'S', 1000)), b(tcp(*S, *C, 'A', 700, 600)), a(tcp(*C, *S, 'R', 650)), a(tcp(*C, *S, 'R', 1001))]),
    case('TCP: a reset right behind a FIN, or behind data of the other side', STATE, [*shake(C, S), a(tcp(*C, *S, 'PA', 1001, 5001, data=b'z' * 20)), b(tcp(*S, *C, 'RA', 5021, 1001)), b(tcp(*S, *C, 'PA', 5001, 1021, data=b'z' * 20)), a(tcp(*C, *S, 'RA', 1031, 5021)), b(tcp(*S, *C, 'RA', 5021, 1021))]),
    case('TCP: the same FIN over and over', STATE, [*shake(C, S), *[a(tcp(*C, *S, 'FA', 1001, 5001)) for _ in range(5)], b(tcp(*S, *C, 'A', 5001, 1002))]),
    case('TCP: a reset in answer to a SYN on a flow that the server has lost', STATE, [*shake(C, S), a(tcp(*C, *S, 'S', 900000)), b(tcp(*S, *C, 'RA', 0, 900001)), a(tcp(*C, *S, 'S', 900000))]),
    case('TCP: a reset in answer to a SYN, of another SYN', STATE, [*shake(C, S), a(tcp(*C, *S, 'S', 900000)), b(tcp(*S, *C, 'RA', 0, 900002)), a(tcp(*C, *S, 'A', 1001, 5001))]),
    case('TCP: half open, the reset acknowledges the ACK', STATE, [a(tcp(*C, *S, 'S', 1000)), b(tcp(*S, *C, 'A', 700, 600)), a(tcp(*C, *S, 'RA', 90000000, 700)), a(tcp(*C, *S, 'S', 1000))]),
    case('TCP: half open, a reset far away', STATE, [a(tcp(*C, *S, 'S', 1000)), b(tcp(*S, *C, 'A', 700, 600)), a(tcp(*C, *S, 'RA', 90000000, 701)), a(tcp(*C, *S, 'R', 90000000)), a(tcp(*C, *S, 'S', 1000))]),
    case('TCP: both sides close far outside the window', STATE, [*shake(C, S), a(tcp(*C, *S, 'PA', 1001 + 2 ** 30, 5001, data=b'q')), a(tcp(*C, *S, 'FA', 1001 + 2 ** 30, 5001)), a(tcp(*C, *S, 'FA', 1001 + 2 ** 30, 5001)), b(tcp(*S, *C, 'FA', 5001 + 2 ** 30, 1001)), b(tcp(*S, *C, 'A', 5001, 1001)), a(tcp(*C, *S, 'A', 1001, 5001))]),
    case('TCP: both sides reset far outside the window', STATE, [*shake(C, S), b(tcp(*S, *C, 'RA', 5001 + 2 ** 30, 1001)), a(tcp(*C, *S, 'RA', 1001 + 2 ** 30, 5001)), a(tcp(*C, *S, 'RA', 1001 + 2 ** 30, 5001))]),
    case('TCP: both sides close outside the window before the flow is assured', STATE, [*shake(C, S)[:2], a(tcp(*C, *S, 'FA', 1001 + 2 ** 30, 5001)), b(tcp(*S, *C, 'FA', 5001 + 2 ** 30, 1001))]),
    case('TCP: the highest SACK block counts, and SACK only', STATE, [*shake(C, S), a(tcp(*C, *S, 'PA', 1001, 5001, data=b'q' * 1000)),
          b(tcp(*S, *C, 'A', 5001, 1001, options=b'\1\1' + struct.pack('!BBIIII', 5, 18, 1501, 2002, 1101, 1201))), b(tcp(*S, *C, 'A', 5001, 1001, options=b'\1\1' + struct.pack('!BBII', 253, 10, 1501, 2002))),
          b(tcp(*S, *C, 'A', 5001, 1001, options=b'\1\1' + struct.pack('!BBI', 5, 6, 2002))), b(tcp(*S, *C, 'FA', 5001, 1001, options=b'\1\1' + struct.pack('!BBII', 5, 10, 1501, 2001)))]),
    case('TCP: a server that does not take SACK', STATE, [a(tcp(*C, *S, 'S', 1000)), b(tcp(*S, *C, 'SA', 5000, 1001, options=b'\2\4\5\xb4')), a(tcp(*C, *S, 'A', 1001, 5001)), b(tcp(*S, *C, 'PA', 5001, 1001, data=b'y' * 10)), a(tcp(*C, *S, 'A', 1001, 5001, options=b'\1\1' + struct.pack('!BBII', 5, 10, 5005, 5012))), b(tcp(*S, *C, 'A', 5011, 1001, options=b'\1\1' + struct.pack('!BBII', 5, 10, 1001, 1002)))]),
    case('TCP: different acknowledgements in a row are no retransmissions', STATE, [*shake(C, S), *[a(tcp(*C, *S, 'PA', 1001 + 10 * n, 5001, data=b'q' * 10)) for n in range(5)], *[b(tcp(*S, *C, 'A', 5001, 1011 + 10 * n)) for n in range(5)]]),
    case('TCP: the last ACK twice', STATE, connection(C, S, [a(tcp(*C, *S, 'A', 1102, 5052)), b(tcp(*S, *C, 'FA', 5051, 1102)), a(tcp(*C, *S, 'R', 1102))])),
    case('TCP: a reset with seq 0 on a live flow', STATE, [*shake(C, S), b(tcp(*S, *C, 'RA', 0, 1001)), b(tcp(*S, *C, 'R', 0))]),
    case('TCP: a SYN sent again with other numbers, before the answer', STATE, [a(tcp(*C, *S, 'S', 1000)), a(tcp(*C, *S, 'S', 800000)), b(tcp(*S, *C, 'SA', 5000, 800001)), a(tcp(*C, *S, 'A', 800001, 5001)), b(tcp(*S, *C, 'A', 5001, 1001))]),
    case('TCP: a SYN-ACK sent again', STATE, [*shake(C, S)[:2], b(tcp(*S, *C, 'SA', 5000, 1001)), a(tcp(*C, *S, 'A', 1001, 5001)), b(tcp(*S, *C, 'SA', 5000, 1001)), a(tcp(*C, *S, 'A', 1001, 5001))]),
    case('TCP: FIN before the handshake is over', STATE, [*shake(C, S)[:2], a(tcp(*C, *S, 'FA', 1001, 5001)), b(tcp(*S, *C, 'A', 5001, 1002)), b(tcp(*S, *C, 'FA', 5001, 1002)), a(tcp(*C, *S, 'A', 1002, 5002))]),
    case('TCP: the client gives up in SYN_RECV', STATE, [*shake(C, S)[:2], a(tcp(*C, *S, 'R', 1001)), b(tcp(*S, *C, 'SA', 5000, 1001))]),
    case('TCP: the reset of an ignored invalid flow is allowed', STATE, [*shake(C, S), b(tcp(*S, *C, 'R', 4000)), b(tcp(*S, *C, 'A', 5001, 1001))], sysctls={'net.netfilter.nf_conntrack_tcp_ignore_invalid_rst': 1}),
    case('TCP: server sequence numbers wrap around', STATE, [a(tcp(*C, *S, 'S', 0xfffffff0)), b(tcp(*S, *C, 'SA', 0xffffffff, 0xfffffff1)), a(tcp(*C, *S, 'A', 0xfffffff1, 0)), a(tcp(*C, *S, 'PA', 0xfffffff1, 0, data=b'w' * 100)), b(tcp(*S, *C, 'A', 0, 0x55)), b(tcp(*S, *C, 'A', 0, 0x56))]),
    case('an ICMP error that quotes too little is invalid', STATE, [a(ping(A, B, 9)), b(error(B, A, 3, 3, ping(A, B, 9), cut=24)), b(error(B, A, 3, 3, ping(A, B, 9), cut=28)), a(udp(A, 1, B, 2)), b(error(B, A, 3, 3, udp(A, 1, B, 2), cut=22)), b(error(B, A, 3, 3, udp(A, 1, B, 2), cut=24)), b(error(B, A, 3, 3, udp(A, 1, B, 2), cut=28))]),
    case('an ICMP error about a TCP segment, cut off, through NAT', f'{DNAT}\n{MASQ}', [a(tcp(A, 40000, VIP, 80, 'S', 1000)), b(error('10.0.2.9', R1, 11, 0, tcp(R1, 40000, B, 8080, 'S', 1000, ttl=1), cut=28)), b(error('10.0.2.9', R1, 3, 1, tcp(R1, 40000, B, 8080, 'S', 1000, ttl=1)))]),
    case('an ICMP error about a ping, cut off, through NAT', f'nat: -A PREROUTING -d {VIP} -j DNAT --to-destination {B}\n{MASQ}', [a(ping(A, VIP, 9)), a(ping(A3, VIP, 9), draw=('nat-port', 0)), b(error('10.0.2.9', R1, 11, 0, ping(R1, B, 9, ttl=1), cut=28))]),
    case('an ICMP error about a fragment', f'{DNATU}\n{MASQ}', [a(udp(A, 1000, VIP, 53)), b(error('10.0.2.9', R1, 11, 1, frags(udp(R1, 1000, B, 5353, data=b'f' * 100), 64)[0], cut=84)), b(error('10.0.2.9', R1, 11, 1, frags(udp(R1, 1000, B, 5353, data=b'f' * 100), 64)[1]))]),
    case('UDP without a checksum through NAT', DNATU, [a(ip(A, VIP, 17, struct.pack('!HHHH', 1000, 53, 13, 0) + b'hello')), b(error('10.0.2.9', A, 3, 1, ip(A, B, 17, struct.pack('!HHHH', 1000, 5353, 13, 0) + b'hello'), cut=28))]),
    case('other ICMP queries', STATE, [a(icmp(A, B, 13, 0, struct.pack('!HHIII', 7, 1, 1, 0, 0))), b(icmp(B, A, 14, 0, struct.pack('!HHIII', 7, 1, 1, 2, 3))), a(icmp(A, B, 10, 0, b'\0' * 4)), b(icmp(B, A, 14, 0, struct.pack('!HHIII', 8, 1, 1, 2, 3)))]),
    case('INPUT and OUTPUT of an answer to ping, with the state asked for', 'filter: -A INPUT -m conntrack --ctstate ESTABLISHED -j DROP\nfilter: -A OUTPUT -m conntrack --ctstate NEW -j DROP', [a(ping(A, '10.0.1.1', 3)), a(ping(A, '10.0.1.1', 3, seq=2))]),
    case('an error that the router makes about a flow with NAT is translated too', f'{DNATU}', [a(udp(A, 1000, VIP, 53, ttl=1))]),
    case('no route: the sender is told', STATE, [a(tcp(A, 1000, '198.51.100.1', 80, 'S', 5))]),
    case('other ICMP queries through masquerade', MASQ, [a(icmp(A, B, 13, 0, struct.pack('!HHIII', 7, 1, 1, 0, 0))), a(icmp(A3, B, 13, 0, struct.pack('!HHIII', 7, 1, 1, 0, 0)), draw=('nat-port', 0)), b(icmp(B, R1, 14, 0, struct.pack('!HHIII', 7, 1, 1, 2, 3)))]),
    case('SCTP: an INIT sent again, and one with a tag', STATE, [a(sctp(A, 5000, B, 90, 0, init(1, 0x1111))), a(sctp(A, 5000, B, 90, 0, init(1, 0x1112))), b(sctp(B, 90, A, 5000, 0x1111, init(2, 0x2222))), b(sctp(B, 90, A, 5000, 0x1112, init(2, 0x2222))), a(sctp(A, 5001, B, 90, 5, init(1, 0x1111))), a(sctp(A, 5002, B, 90, 7, chunk(10, b'cook'))), b(sctp(B, 90, A, 5002, 7, chunk(11)))]),
    case('SCTP: bundles that must not be', STATE, [a(sctp(A, 5000, B, 90, 0, init(1, 0x1111) + chunk(3, b'x' * 12))), a(sctp(A, 5000, B, 90, 0, init(1, 0x1111))), b(sctp(B, 90, A, 5000, 0x1111, init(2, 0x2222))), a(sctp(A, 5000, B, 90, 0x2222, chunk(3, b'x' * 12) + chunk(10, b'cook'))), a(sctp(A, 5000, B, 90, 0x2222, chunk(10, b'cook') + chunk(0, b'x' * 16, 3))), b(sctp(B, 90, A, 5000, 0x1111, chunk(11) + chunk(3, b'x' * 12)))]),
    case('SCTP: heartbeat opens a flow', STATE, [a(sctp(A, 5000, B, 90, 9, chunk(4, b'beat'))), b(sctp(B, 90, A, 5000, 8, chunk(5, b'beat'))), a(sctp(A, 5000, B, 90, 9, chunk(0, b'x' * 16, 3))), a(sctp(A, 5000, B, 90, 7, chunk(0, b'x' * 16, 3)))]),
    case('SCTP: reflected tags', STATE, [a(sctp(A, 5000, B, 90, 0, init(1, 0x1111))), b(sctp(B, 90, A, 5000, 0x9999, chunk(6))), b(sctp(B, 90, A, 5000, 0x9999, chunk(6, flags=1))), b(sctp(B, 90, A, 5000, 0, chunk(6, flags=1)))]),
    # IPv6
    case('IPv6: what cannot be translated, and UDP fragments', rules6=f'nat: -A PREROUTING -d {VIP6} -p udp --dport 53 -j DNAT --to-destination [{B6}]:5353\n{MASQ}\n{STATE}',
         steps=[b(error(B6, A6, 1, 4, udp(A6, 1, B6, 2))), a(udp(A6, 1000, VIP6, 53)), b(error('fd00:2::9', R16, 3, 0, udp(R16, 1000, B6, 5353, ttl=1), cut=48)), b(error('fd00:2::9', A63, 3, 0, udp(R16, 1000, B6, 5353, ttl=1)))]),
    case('IPv6: TCP reset and errors of the router', rules6=f'nat: -A PREROUTING -d {VIP6} -p tcp --dport 80 -j DNAT --to-destination [{B6}]:8080\nfilter: -A FORWARD -p tcp --dport 8080 -j REJECT --reject-with tcp-reset\nfilter: -A FORWARD -p tcp --dport 81 -j REJECT',
         steps=[a(tcp(A6, 40000, VIP6, 80, 'S', 1000)), a(tcp(A6, 40000, B6, 81, 'S', 1000)), a(tcp(A6, 40000, B6, 82, 'S', 1000, ttl=1))]),
    case('IPv6: fragments go through NAT whole', rules6=f'nat: -A PREROUTING -d {VIP6} -p udp --dport 53 -j DNAT --to-destination [{B6}]:5353\n{MASQ}',
         steps=[*[a(f) for f in frags6(udp(A6, 1000, VIP6, 53, data=b'f' * 1000), 512)], *[b(f) for f in reversed(frags6(udp(B6, 5353, R16, 1000, data=b'g' * 900), 400))]]),
    case('IPv6: DNAT, masquerade and port clash', rules6=f'nat: -A PREROUTING -d {VIP6} -p udp --dport 53 -j DNAT --to-destination [{B6}]:5353\n{MASQ}',
         steps=[a(udp(A6, 7000, VIP6, 53)), b(udp(B6, 5353, R16, 7000)), a(udp(A63, 7000, VIP6, 53), draw=('nat-port', 1024))]),
    case('IPv6: TCP through DNAT', rules6=f'nat: -A PREROUTING -d {VIP6} -p tcp --dport 80 -j DNAT --to-destination [{B6}]:8080\n{STATE}',
         steps=[a(tcp(A6, 40000, VIP6, 80, 'S', 1000)), b(tcp(B6, 8080, A6, 40000, 'SA', 5000, 1001)), a(tcp(A6, 40000, VIP6, 80, 'A', 1001, 5001)), b(tcp(B6, 8080, A6, 40000, 'RA', 5001, 1001))]),
    case('IPv6: an ICMP error inside NAT', rules6=f'nat: -A PREROUTING -d {VIP6} -p udp --dport 53 -j DNAT --to-destination [{B6}]:5353\n{MASQ}',
         steps=[a(udp(A6, 1000, VIP6, 53)), b(error(B6, R16, 1, 4, udp(R16, 1000, B6, 5353, ttl=63))), b(error('fd00:2::9', R16, 2, 0, udp(R16, 1000, B6, 5353, ttl=63), word=1280))]),
    case('IPv6: ping through masquerade', rules6=MASQ, steps=[a(ping(A6, B6, 77)), b(ping(B6, R16, 77, reply=True)), a(ping(A63, B6, 77), draw=('nat-port', 0))]),
    case('IPv6: REJECT', rules6='filter: -A FORWARD -p udp --dport 1 -j REJECT\nfilter: -A FORWARD -p udp --dport 2 -j REJECT --reject-with icmp6-no-route\nfilter: -A FORWARD -p udp --dport 3 -j REJECT --reject-with icmp6-adm-prohibited\nfilter: -A FORWARD -p udp --dport 4 -j REJECT --reject-with icmp6-addr-unreachable\nfilter: -A FORWARD -p udp --dport 5 -j REJECT --reject-with icmp6-policy-fail\nfilter: -A FORWARD -p tcp -j REJECT --reject-with tcp-reset',
         steps=[*[a(udp(A6, 1000, B6, n)) for n in range(1, 6)], a(tcp(A6, 1, B6, 80, 'S', 5))]),
    case('IPv6: addrtype', rules6='mangle: -A PREROUTING -m addrtype --dst-type LOCAL -p udp --dport 1 -j DROP\nmangle: -A PREROUTING -m addrtype --dst-type MULTICAST -j DROP\nfilter: -A FORWARD -m addrtype ! --dst-type UNICAST -j DROP\nfilter: -A INPUT -p udp -j REJECT',
         steps=[a(udp(A6, 1, B6, 1)), a(udp(A6, 1, R16, 1)), a(udp(A6, 1, R16, 2))]),
    case('IPv6: SNAT over a range of addresses', rules6='nat: -A POSTROUTING -o r1 -j SNAT --to-source fd00:2::100-fd00:2::1ff', steps=[a(udp(f'fd00:1::{h}', 1000 + h, B6, 53)) for h in range(2, 8)]),
    case('IPv6: SNAT over a range that spans words', rules6='nat: -A POSTROUTING -o r1 -j SNAT --to-source fd00:2:0:0:1::-fd00:2:0:0:4::5', steps=[a(udp(f'fd00:1::{h}', 1000 + h, B6, 53)) for h in range(2, 10)]),
    case('IPv6: recent', rules6='filter: -A FORWARD -p udp --dport 1 -m recent --name L --set -j ACCEPT\nfilter: -A FORWARD -p udp --dport 2 -m recent --name L --rcheck -j DROP\nfilter: -A FORWARD -p udp --dport 3 -m recent --name M --mask ffff:ffff:: --set -j ACCEPT\nfilter: -A FORWARD -p udp --dport 4 -m recent --name M --mask ffff:ffff:: --rcheck -j DROP',
         steps=[a(udp(s, 1, B6, n)) for s, n in ((A6, 2), (A6, 1), (A6, 2), (A63, 2), (A6, 3), (A63, 4))]),
]

CASES += [random_tcp(seed) for seed in range(30)]


# --- running -------------------------------------------------------------------------------------------------------

def collect(sockets, sent):
    """Everything that R sends, until it is quiet."""
    seen = []
    by_fd = {s: wire for wire, s in sockets.items()}
    while True:
        ready, _, _ = select.select(list(sockets.values()), [], [], 0.06)
        if not ready:
            return seen
        for s in ready:
            frame, address = s.recvfrom(65535)
            if address[2] == socket.PACKET_OUTGOING:
                continue
            kind = struct.unpack('!H', frame[12:14])[0]
            if kind not in (0x800, 0x86dd) or (kind == 0x86dd and frame[38] == 0xff):
                continue  # ARP, or the router's own multicast (MLD, NDP)
            length = struct.unpack('!H', frame[16:18])[0] if kind == 0x800 else 40 + struct.unpack('!H', frame[18:20])[0]
            seen.append(dict(wire=by_fd[s], packet=frame[14:14 + length].hex()))


def drawn(draw, out):
    """The outcomes of the kernel's draws, told from what it sent."""
    purpose, how = draw
    packet = bytes.fromhex(out[0]['packet'])
    v6 = packet[0] >> 4 == 6
    proto, head = (packet[6], 40) if v6 else (packet[9], 20)
    if purpose == 'statistic':
        return [[purpose, n] for n in how[socket.inet_ntoa(packet[16:20])]]
    port = struct.unpack('!H', packet[head + 4:head + 6] if proto in (1, 58) else packet[head:head + 2])[0]
    return [[purpose, port - how]]


def record(c):
    sockets = up(c['rules'], c['rules6'], c['sysctls'])
    family = 'ipv6' if c['rules6'] else 'ipv4'
    begin = time.monotonic()
    steps = []
    for step in c['steps']:
        if 'wait' in step:
            time.sleep(step['wait'])
            continue
        kind = b'\x86\xdd' if step['packet'][0] >> 4 == 6 else b'\x08\x00'
        wire = step['wire']
        link = 'r0' if wire == 'a' else 'r1'
        frame = bytes.fromhex(MAC[link].replace(':', '') + FAR[wire].replace(':', '')) + kind + step['packet']
        at = time.monotonic() - begin
        sockets[wire].send(frame)
        out = collect(sockets, wire)
        table = router('conntrack', '-L', '-f', family, check=False).splitlines()
        taken = dict(at=round(at, 3), wire=wire, packet=step['packet'].hex(), out=out, conntrack=sorted(re.sub(r' +$', '', l) for l in table))
        taken['listed'] = round(time.monotonic() - begin, 3)
        if 'draw' in step:
            taken['draws'] = drawn(step['draw'], out)
        steps.append(taken)
    down(sockets)
    return dict(c, steps=steps)


if __name__ == '__main__':
    # `record.py OLD` keeps what OLD has recorded of the same packets, and records the rest.
    known = {}
    if len(sys.argv) > 1:
        known = {c['name']: c for c in json.load(open(sys.argv[1]))['cases']}
    done = []
    for c in CASES:
        old = known.get(c['name'])
        sent = [s['packet'].hex() for s in c['steps'] if 'packet' in s]
        if old and all(old[k] == c[k] for k in ('rules', 'rules6', 'sysctls')) and [s['packet'] for s in old['steps']] == sent:
            done.append(old)
            continue
        print(c['name'], file=sys.stderr)
        done.append(record(c))
    head = dict(kernel=os.uname().release.split('-')[0], iptables=run('iptables', '-V').strip(), conntrack=run('conntrack', '-V').strip().splitlines()[0])
    lines = ',\n'.join(json.dumps(c) for c in done)
    print(json.dumps(head)[:-1] + ', "cases": [\n' + lines + '\n]}')
