"""Rule hits of one namespace, in order: `table/CHAIN:index`."""
import json
import socket
import struct
import subprocess

from netlink import attributes, messages, request

NETLINK_NETFILTER = 12
SOL_NETLINK = 270
NETLINK_ADD_MEMBERSHIP = 1
NFNLGRP_NFTRACE = 9
NFNL_NFTABLES, NFT_MSG_TRACE = 10, 17
NFNL_ULOG, NFULNL_MSG_PACKET, NFULNL_MSG_CONFIG = 4, 0, 1
SO_RCVBUFFORCE = 33
OWN_TABLE = 'kernel_judge'

# Sets the trace bit before every other table; both backends honour it, and the ruleset stays as it was given.
MARK_RULESET = f'''table inet {OWN_TABLE} {{
  chain in {{ type filter hook prerouting priority -301; meta nftrace set 1; }}
  chain out {{ type filter hook output priority -301; meta nftrace set 1; }}
''' + ''.join(
    f'  chain at_{hook}_{-priority} {{ type filter hook {hook} priority {priority}; }}\n'
    # Where a packet was when a rule rejected it, which nf_tables tells only after what the rule has sent: just before
    # the chains that may have such rules (iptables' filter, kube-proxy's).
    for hook in ('input', 'forward', 'output') for priority in (-111, -1)
) + '}\n'


def mark_for_trace(namespaces):
    for one in namespaces:
        with one:
            subprocess.run(['nft', '-f', '-'], input=MARK_RULESET, text=True, check=True)


def netfilter_socket(netns):
    sock = netns.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
    sock.bind((0, 0))
    return sock


def device(netns, data):
    index = struct.unpack('!I', data)[0] if data else 0
    return netns.link_names.get(index, f'if{index}') if index else None


class LegacyTrace:
    """iptables-legacy tells traced packets to the logger of the namespace: nfnetlink_log, group 0."""

    def __init__(self, netns):
        self.netns = netns
        self.socket = netfilter_socket(netns)
        kind = NFNL_ULOG << 8 | NFULNL_MSG_CONFIG
        config = lambda family, body: request(self.socket, kind, struct.pack('=BBH', family, 0, 0) + body)
        for family in (socket.AF_INET, socket.AF_INET6):
            config(family, struct.pack('=HHB3x', 5, 1, 4))  # NFULNL_CFG_CMD_PF_UNBIND
            config(family, struct.pack('=HHB3x', 5, 1, 3))  # NFULNL_CFG_CMD_PF_BIND
        config(0, struct.pack('=HHB3x', 5, 1, 1))  # NFULNL_CFG_CMD_BIND
        config(0, struct.pack('=HH', 10, 2) + struct.pack('!IBx', 0xffff, 2) + b'\0\0')  # NFULNL_COPY_PACKET
        config(0, struct.pack('=HHI', 8, 5, socket.htonl(1)))  # NFULA_CFG_QTHRESH: each at once
        self.socket.setblocking(False)

    def rules_are_new(self):
        """The kernel itself tells the index."""

    def read(self):
        found = []
        while True:
            try:
                data = self.socket.recv(1 << 17)
            except BlockingIOError:
                return found
            for kind, body in messages(data):
                if kind != NFNL_ULOG << 8 | NFULNL_MSG_PACKET:
                    continue
                given = attributes(body[4:])
                prefix = given.get(10, b'').rstrip(b'\0').decode().strip()
                if not prefix.startswith('TRACE: '):
                    continue
                table, chain, what, index = prefix[len('TRACE: '):].rsplit(':', 3)
                found.append({
                    'table': table, 'chain': chain, 'index': int(index), 'what': what,
                    'family': 4 if body[0] == socket.AF_INET else 6,
                    'in': device(self.netns, given.get(4)), 'out': device(self.netns, given.get(5)),
                    'physIn': device(self.netns, given.get(6)), 'physOut': device(self.netns, given.get(7)),
                    'mark': struct.unpack('!I', given[2])[0] if 2 in given else 0,
                    'packet': given.get(9, b'').hex(),
                })

    def close(self):
        self.socket.close()


VERDICT = {0: 'drop', 1: 'accept', 2: 'stolen', 3: 'queue', 4: 'repeat', 0xffffffff: 'continue', 0xfffffffe: 'break',
           0xfffffffd: 'jump', 0xfffffffc: 'goto', 0xfffffffb: 'return'}
RULE, POLICY = 3, 1
# NFTA_TRACE_LL_HEADER, NETWORK_HEADER, TRANSPORT_HEADER, IIF, IIFTYPE, OIF, OIFTYPE, MARK
HEAD = (7, 8, 9, 10, 11, 12, 13, 14)


class NftTrace:
    """iptables-nft: the trace events of nf_tables, whose rule handles are looked up in the ruleset."""

    def __init__(self, netns):
        self.netns = netns
        self.socket = netfilter_socket(netns)
        self.socket.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, NFNLGRP_NFTRACE)
        self.socket.setblocking(False)
        self.rules = None
        self.heads = {}

    def rules_are_new(self):
        self.rules = None

    def rule_indexes(self):
        """(family, table, handle) -> index, (family, table, chain) -> number of rules, and the base chains."""
        if self.rules is None:
            with self.netns:
                listed = subprocess.run(['nft', '-j', '-a', 'list', 'ruleset'], capture_output=True, text=True,
                                        check=True).stdout
            indexes, counts, base = {}, {}, set()
            for item in json.loads(listed)['nftables']:
                if 'rule' in item:
                    rule = item['rule']
                    key = (rule['family'], rule['table'], rule['chain'])
                    counts[key] = counts.get(key, 0) + 1
                    indexes[(rule['family'], rule['table'], rule['handle'])] = counts[key]
                elif 'hook' in item.get('chain', {}):
                    chain = item['chain']
                    base.add((chain['family'], chain['table'], chain['name']))
            self.rules = (indexes, counts, base)
        return self.rules

    def read(self):
        found = []
        while True:
            try:
                data = self.socket.recv(1 << 16)
            except BlockingIOError:
                return found
            for kind, body in messages(data):
                if kind != NFNL_NFTABLES << 8 | NFT_MSG_TRACE:
                    continue
                event = self.event(body)
                if event:
                    found.append(event)

    def event(self, body):
        given = attributes(body[4:])
        text = lambda kind: given[kind].rstrip(b'\0').decode() if kind in given else ''
        table, chain = text(1), text(2)
        if table == OWN_TABLE and not chain.startswith('at_'):
            return None
        family = {socket.AF_INET: 'ip', socket.AF_INET6: 'ip6'}.get(body[0], 'inet')
        what = struct.unpack('!I', given[4])[0]
        indexes, counts, base = self.rule_indexes()
        handle = struct.unpack('!Q', given[3])[0] if 3 in given else None
        if what == RULE and handle is None and (family, table, chain) in base:
            # Told again as the policy, which then comes without the headers that this event has.
            self.heads[given[6]] = {kind: given[kind] for kind in HEAD if kind in given}
            return None
        given = {**self.heads.pop(given[6], {}), **given}
        if what == RULE and handle is not None:
            index = indexes[(family, table, handle)]
        else:
            index = counts.get((family, table, chain), 0) + 1
        verdict = attributes(given[5]) if 5 in given else {}
        packet = given.get(8, b'') + given.get(9, b'')
        return {
            'table': table, 'chain': chain, 'index': index,
            'what': 'rule' if what == RULE and handle is not None else 'policy' if what == POLICY else 'return',
            'family': 4 if family == 'ip' or family == 'inet' and packet[:1] == b'\x45' else 6,
            'in': device(self.netns, given.get(10)), 'out': device(self.netns, given.get(12)),
            'physIn': None, 'physOut': None,
            'verdict': VERDICT.get(struct.unpack('!I', verdict[1])[0]) if 1 in verdict else None,
            'mark': struct.unpack('!I', given[14])[0] if 14 in given else 0, 'packet': packet.hex(),
            # Tells the packets of one chain walk; devices and headers come with its first event only.
            'walk': given[6].hex(),
        }

    def close(self):
        self.socket.close()
