"""What runs in the lab's namespaces: listeners, the clients of a probe, and flanneld's UDP forwarder. Each answers an
event at once and does nothing by itself, so on one CPU the order of system calls is fixed by the kernel."""
import errno
import select
import socket
import struct

from tun_forwarder import TunForwarder

FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
IP_PKTINFO, IP_RECVTTL, IP_RECVERR = 8, 12, 11
IPV6_RECVPKTINFO, IPV6_PKTINFO, IPV6_RECVHOPLIMIT, IPV6_HOPLIMIT, IPV6_RECVERR = 49, 50, 51, 52, 25
MSG_ERRQUEUE = 0x2000
ABORT = struct.pack('ii', 1, 0)


class Actors:
    def __init__(self, namespaces):
        self.namespaces = namespaces
        self.poll = select.epoll()
        self.handlers = {}
        self.standing = []
        self.connections = []
        self.log = []

    def forget(self):
        self.log = []

    def note(self, actor, event, **what):
        self.log.append({'actor': actor, 'event': event, **what})

    def watch(self, file, handler, events=select.EPOLLIN):
        self.handlers[file] = handler
        self.poll.register(file, events)

    def unwatch(self, file):
        if self.handlers.pop(file, None):
            self.poll.unregister(file)

    def wait(self, seconds):
        """Until there is an event; takes none."""
        select.select([self.poll.fileno()], [], [], seconds)

    def pass_over(self, file):
        """A socket without a connection counts as hung up. Once that is told it takes its place in the order when it
        is woken, not now."""
        for _ in range(len(self.handlers)):
            ready = self.poll.poll(0, 1)
            if not ready or ready[0][0] == file:
                return

    def pump(self):
        """One event at a time, in the order they became ready. Answers whether there was any."""
        moved = False
        while True:
            ready = self.poll.poll(0, 1)
            if not ready:
                return moved
            moved = True
            for file, events in ready:
                self.handlers[file](events)

    def start(self, actor):
        netns = self.namespaces[actor['netns']]
        if actor['program'] == 'listen':
            kind = TcpListener if actor['protocol'] == 'tcp' else UdpListener
            self.standing.append(kind(self, netns, actor))
        elif actor['program'] == 'flannel-udp':
            forwarder = TunForwarder(netns, actor)
            for file, handler in forwarder.files():
                self.watch(file, lambda _events, run=handler: run())
            self.standing.append(forwarder)
        else:
            raise RuntimeError('unknown program ' + actor['program'])

    def begin(self, flow):
        netns = self.namespaces[flow['netns']]
        kind = {'tcp': TcpClient, 'udp': UdpClient, 'icmp': EchoClient}[flow['protocol']]
        client = kind(self, netns, flow)
        self.connections.append(client)
        client.begin()

    def close_connections(self):
        """Ends what a probe left open, without a farewell."""
        for one in self.connections:
            one.abort()
        self.connections = []

    def close(self):
        self.close_connections()
        for one in self.standing:
            for file in one.file_numbers():
                self.unwatch(file)
            one.close()
        self.standing = []


def address(pair):
    return {'ip': pair[0].split('%')[0], 'port': pair[1]}


class Socket:
    def __init__(self, actors, netns, asked, kind, protocol=0):
        self.actors = actors
        self.netns = netns
        self.asked = asked
        self.name = asked['name']
        self.family = asked['family']
        self.socket = netns.socket(FAMILY[self.family], kind, protocol)
        self.socket.setblocking(False)
        if 'ttl' in asked:
            option = (socket.IPPROTO_IP, socket.IP_TTL) if self.family == 4 else (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS)
            self.socket.setsockopt(*option, asked['ttl'])

    def file_numbers(self):
        return [self.socket.fileno()]

    def bind(self):
        if self.family == 6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        wildcard = '0.0.0.0' if self.family == 4 else '::'
        self.socket.bind((self.asked.get('ip', wildcard), self.asked['port']))

    def ask_for_ttl(self):
        options = ((socket.IPPROTO_IP, IP_RECVTTL), (socket.IPPROTO_IP, IP_PKTINFO)) if self.family == 4 else (
            (socket.IPPROTO_IPV6, IPV6_RECVHOPLIMIT), (socket.IPPROTO_IPV6, IPV6_RECVPKTINFO))
        for option in options:
            self.socket.setsockopt(*option, 1)

    def receive(self, flags=0):
        """(data, sender, {ttl, to}) of a datagram."""
        data, control, _, sender = self.socket.recvmsg(1 << 16, 512, flags)
        found = {}
        for level, kind, value in control:
            if (level, kind) in ((socket.IPPROTO_IP, socket.IP_TTL), (socket.IPPROTO_IPV6, IPV6_HOPLIMIT)):
                found['ttl'] = struct.unpack('=i', value[:4])[0]
            elif (level, kind) == (socket.IPPROTO_IP, IP_PKTINFO):
                found['to'] = socket.inet_ntop(socket.AF_INET, value[8:12])
            elif (level, kind) == (socket.IPPROTO_IPV6, IPV6_PKTINFO):
                found['to'] = socket.inet_ntop(socket.AF_INET6, value[:16])
            elif (level, kind) in ((socket.IPPROTO_IP, IP_RECVERR), (socket.IPPROTO_IPV6, IPV6_RECVERR)):
                found['errno'] = errno.errorcode[struct.unpack('=I', value[:4])[0]]
                found['icmpType'], found['icmpCode'] = value[5], value[6]
                offender = value[16:]
                found['from'] = socket.inet_ntop(FAMILY[self.family], offender[4:8] if self.family == 4 else offender[8:24])
        return data, sender, found

    def note(self, event, **what):
        self.actors.note(self.name, event, **what)

    def fail(self, number):
        self.note('error', errno=errno.errorcode.get(number, str(number)))

    def end(self):
        self.actors.unwatch(self.socket.fileno())
        self.socket.close()

    close = end

    def abort(self):
        if self.socket.fileno() < 0:
            return
        if self.socket.type & 0xf == socket.SOCK_STREAM:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
        self.end()


class TcpListener(Socket):
    def __init__(self, actors, netns, asked):
        super().__init__(actors, netns, asked, socket.SOCK_STREAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.bind()
        self.socket.listen(128)
        actors.watch(self.socket.fileno(), self.ready)

    def ready(self, _events):
        accepted, peer = self.socket.accept()
        accepted.setblocking(False)
        self.note('accepted', local=address(accepted.getsockname()), peer=address(peer))
        self.actors.connections.append(TcpConnection(self, accepted))

    def end(self):
        super().end()


class TcpConnection:
    """The server's end: answers what it reads (or stays silent), closes after the client has."""

    def __init__(self, listener, accepted):
        self.listener = listener
        self.socket = accepted
        self.actors = listener.actors
        self.actors.watch(accepted.fileno(), self.ready)

    def ready(self, _events):
        try:
            data = self.socket.recv(1 << 16)
            if data:
                self.listener.note('data', bytes=data.hex())
                if self.listener.asked.get('answers', 'echo') == 'echo':
                    self.socket.send(data)
                return
            self.listener.note('closed')
        except OSError as failure:
            self.listener.fail(failure.errno)
        self.end()

    def end(self):
        self.actors.unwatch(self.socket.fileno())
        self.socket.close()

    def abort(self):
        if self.socket.fileno() >= 0:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
            self.end()


class UdpListener(Socket):
    def __init__(self, actors, netns, asked):
        super().__init__(actors, netns, asked, socket.SOCK_DGRAM)
        self.ask_for_ttl()
        self.bind()
        actors.watch(self.socket.fileno(), self.ready)

    def ready(self, _events):
        try:
            data, sender, found = self.receive()
            self.note('data', bytes=data.hex(), peer=address(sender), **found)
            if self.asked.get('answers', 'echo') == 'echo':
                self.socket.sendto(data, sender)
        except OSError as failure:
            self.fail(failure.errno)


class Client(Socket):
    """Sends its messages one after the other, each when the one before has been answered in full; then closes."""

    def __init__(self, actors, netns, asked, kind, protocol=0):
        super().__init__(actors, netns, asked, kind, protocol)
        self.left = [bytes.fromhex(one) for one in asked.get('sends', [])]
        self.owed = 0

    def begin(self):
        try:
            if 'port' in self.asked or 'ip' in self.asked:
                self.asked.setdefault('port', 0)
                self.bind()
            self.connect()
        except OSError as failure:
            self.fail(failure.errno)
            self.end()

    def next(self):
        if self.left:
            data = self.left.pop(0)
            self.owed = len(data)
            self.send(data)
        elif self.asked.get('stay'):
            self.note('stays')
        else:
            self.note('close')
            self.end()

    def got(self, data):
        self.owed -= len(data)
        if self.owed <= 0:
            self.next()


class TcpClient(Client):
    def __init__(self, actors, netns, asked):
        super().__init__(actors, netns, asked, socket.SOCK_STREAM)
        self.connected = False

    def connect(self):
        # Watched first: a handshake that ends inside connect() wakes the client before the server, and so must we.
        self.actors.watch(self.socket.fileno(), self.ready, select.EPOLLOUT | select.EPOLLET)
        self.actors.pass_over(self.socket.fileno())
        number = self.socket.connect_ex((self.asked['to']['ip'], self.asked['to']['port']))
        if number not in (0, errno.EINPROGRESS):
            raise OSError(number, 'connect')

    def ready(self, _events):
        try:
            if not self.connected:
                number = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if number:
                    raise OSError(number, 'connect')
                self.connected = True
                self.note('connected', local=address(self.socket.getsockname()), peer=address(self.socket.getpeername()))
                self.actors.poll.modify(self.socket.fileno(), select.EPOLLIN)
                self.next()
                return
            data = self.socket.recv(1 << 16)
            if data:
                self.note('data', bytes=data.hex())
                self.got(data)
                return
            self.note('closed')
        except OSError as failure:
            self.fail(failure.errno)
        self.end()

    def send(self, data):
        self.socket.send(data)


class UdpClient(Client):
    def __init__(self, actors, netns, asked):
        super().__init__(actors, netns, asked, socket.SOCK_DGRAM)
        self.ask_for_ttl()

    def connect(self):
        self.socket.connect((self.asked['to']['ip'], self.asked['to']['port']))
        self.actors.watch(self.socket.fileno(), self.ready)
        self.next()

    def ready(self, _events):
        try:
            data, sender, found = self.receive()
            self.note('data', bytes=data.hex(), peer=address(sender), **found)
            self.got(data)
        except OSError as failure:
            self.fail(failure.errno)
            self.end()

    def send(self, data):
        self.socket.send(data)


class EchoClient(Client):
    """A ping socket (net.ipv4.ping_group_range): the kernel chooses the identifier. Errors with their sender."""

    def __init__(self, actors, netns, asked):
        protocol = socket.IPPROTO_ICMP if asked['family'] == 4 else socket.IPPROTO_ICMPV6
        super().__init__(actors, netns, asked, socket.SOCK_DGRAM, protocol)
        self.ask_for_ttl()
        option = (socket.IPPROTO_IP, IP_RECVERR) if self.family == 4 else (socket.IPPROTO_IPV6, IPV6_RECVERR)
        self.socket.setsockopt(*option, 1)
        self.sequence = 0

    def connect(self):
        self.actors.watch(self.socket.fileno(), self.ready)
        self.next()

    def ready(self, events):
        try:
            if events & select.EPOLLERR:
                _, _, found = self.receive(MSG_ERRQUEUE)
                self.note('error', **found)
                self.got(b'')
                self.end()
                return
            data, sender, found = self.receive()
            self.note('data', bytes=data[8:].hex(), type=data[0], sequence=struct.unpack('!H', data[6:8])[0],
                      peer=address(sender)['ip'], **found)
            self.got(data[8:])
        except OSError as failure:
            self.fail(failure.errno)
            self.end()

    def send(self, data):
        self.sequence += 1
        kind = 8 if self.family == 4 else 128
        # The kernel fills in identifier and checksum.
        self.socket.sendto(struct.pack('!BBHHH', kind, 0, 0, 0, self.sequence) + data, (self.asked['to']['ip'], 0))
