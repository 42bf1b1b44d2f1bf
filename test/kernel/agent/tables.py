"""What traffic changes in a namespace: conntrack, neighbours, bridge and vxlan forwarding tables."""
import socket
import struct

from netlink import attribute, attributes, dump, request

NFNL_CONNTRACK = 1
CT_GET, CT_DELETE = 1, 2
NETLINK_NETFILTER = 12
RTM_NEWLINK, RTM_GETLINK, RTM_DELNEIGH, RTM_GETNEIGH = 16, 18, 29, 30
AF_BRIDGE = 7
IFF_UP, IFF_LOOPBACK = 1, 8
NUD = {0: 'none', 1: 'incomplete', 2: 'reachable', 4: 'stale', 8: 'delay', 16: 'probe', 32: 'failed', 64: 'noarp',
       128: 'permanent'}
NUD_KEPT = 0xc0  # noarp and permanent


def state_name(state):
    return 'permanent' if state & 0x80 else NUD.get(state, str(state))


def ip_text(data):
    return socket.inet_ntop(socket.AF_INET if len(data) == 4 else socket.AF_INET6, data)


def mac_text(data):
    return ':'.join(f'{octet:02x}' for octet in data)


# ---- conntrack (include/uapi/linux/netfilter/nfnetlink_conntrack.h)

def tuple_json(data):
    nested = attributes(data)
    ip = attributes(nested[1])
    proto = attributes(nested[2])
    found = {'src': ip_text(ip.get(1) or ip[3]), 'dst': ip_text(ip.get(2) or ip[4]), 'protocol': proto[1][0]}
    if 2 in proto:
        found['srcPort'] = struct.unpack('!H', proto[2])[0]
        found['dstPort'] = struct.unpack('!H', proto[3])[0]
    for number, kind, code in ((4, 5, 6), (7, 8, 9)):
        if number in proto:
            found['icmpId'] = struct.unpack('!H', proto[number])[0]
            found['icmpType'] = proto[kind][0]
            found['icmpCode'] = proto[code][0]
    return found


def conntrack(netns):
    with netns.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as sock:
        sock.bind((0, 0))
        found = []
        for data in dump(sock, NFNL_CONNTRACK << 8 | CT_GET, struct.pack('=BBH', 0, 0, 0)):
            entry = attributes(data[4:])
            number = lambda kind: struct.unpack('!I', entry[kind])[0] if kind in entry else 0
            one = {'original': tuple_json(entry[1]), 'reply': tuple_json(entry[2]), 'status': number(3),
                   'mark': number(8), 'timeout': number(7)}
            if 4 in entry:
                protocol = attributes(entry[4])
                if 1 in protocol:
                    one['tcpState'] = attributes(protocol[1])[1][0]
            found.append(one)
        return found


def conntrack_flush(netns):
    with netns.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as sock:
        sock.bind((0, 0))
        request(sock, NFNL_CONNTRACK << 8 | CT_DELETE, struct.pack('=BBH', 0, 0, 0))


# ---- neighbours and forwarding tables (rtnetlink)

def neighbour_dump(netns, family):
    for data in dump(netns.rtnetlink(), RTM_GETNEIGH, struct.pack('=BxxxiHBB', family, 0, 0, 0, 0)):
        _, index, state, flags, kind = struct.unpack_from('=BxxxiHBB', data)
        yield data, index, state, flags, attributes(data[12:])


def neighbours(netns):
    found = []
    for family in (socket.AF_INET, socket.AF_INET6):
        for _, index, state, _, given in neighbour_dump(netns, family):
            found.append({'device': netns.link_names.get(index, f'if{index}'), 'ip': ip_text(given[1]),
                          'mac': mac_text(given[2]) if 2 in given else None, 'state': state_name(state)})
    return found


def neighbours_flush(netns):
    for family in (socket.AF_INET, socket.AF_INET6):
        for data, _, state, _, given in list(neighbour_dump(netns, family)):
            if state & NUD_KEPT:
                continue
            try:
                request(netns.rtnetlink(), RTM_DELNEIGH, data[:12] + attribute(1, given[1]))
            except FileNotFoundError:
                continue


def fdb(netns):
    found = []
    for _, index, state, flags, given in neighbour_dump(netns, AF_BRIDGE):
        if 2 not in given:
            continue
        found.append({
            'device': netns.link_names.get(index, f'if{index}'), 'mac': mac_text(given[2]),
            'dst': ip_text(given[1]) if 1 in given else None, 'state': state_name(state),
            'master': netns.link_names.get(struct.unpack('=I', given[9])[0]) if 9 in given else None,
            'self': bool(flags & 2), 'vlan': struct.unpack('=H', given[5])[0] if 5 in given else 0,
        })
    return found


def links(netns):
    found = []
    for data in dump(netns.rtnetlink(), RTM_GETLINK, struct.pack('=BxHiII', 0, 0, 0, 0, 0)):
        _, kind, index, flags, _ = struct.unpack_from('=BxHiII', data)
        given = attributes(data[16:])
        info = attributes(given[18]) if 18 in given else {}
        port = attributes(info[5]) if 5 in info and info.get(4, b'').rstrip(b'\0') == b'bridge' else {}
        found.append({
            'index': index, 'name': given[3].rstrip(b'\0').decode(), 'kind': info.get(1, b'').rstrip(b'\0').decode(),
            'up': bool(flags & IFF_UP), 'operstate': given[16][0] if 16 in given else 0,
            # A veth whose peer is down has no carrier and never will: IFF_LOWER_UP tells the two apart.
            'lower': bool(flags & 0x10000), 'portState': port[1][0] if 1 in port else None,
            'master': struct.unpack('=I', given[10])[0] if 10 in given else 0,
        })
    up = {link['index'] for link in found if link['up']}
    for link in found:
        # A port does not forward yet although its bridge is up.
        link['blocked'] = link['portState'] not in (None, 3) and link['master'] in up
    return found


def fdb_flush(netns):
    """Forgets learned addresses of every bridge (IFLA_BR_FDB_FLUSH) and vxlan device."""
    for link in links(netns):
        if link['kind'] == 'bridge':
            data = attribute(1, b'bridge\0') + attribute(2 | 0x8000, attribute(21, b''))
            body = struct.pack('=BxHiII', 0, 0, link['index'], 0, 0) + attribute(18 | 0x8000, data)
            request(netns.rtnetlink(), RTM_NEWLINK, body)
    for data, _, state, flags, given in list(neighbour_dump(netns, AF_BRIDGE)):
        if flags & 2 and not state & NUD_KEPT and 2 in given:
            request(netns.rtnetlink(), RTM_DELNEIGH, data)
