"""Network namespaces of the lab, and the namespaces that the agent itself stands in."""
import array
import ctypes
import fcntl
import json
import os
import socket
import struct

CLONE_NEWNS = 0x20000
CLONE_NEWNET = 0x40000000
MS_REC_PRIVATE = 0x4000 | 0x40000

libc = ctypes.CDLL(None, use_errno=True)


def check(result, what):
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f'{what}: {os.strerror(number)}')


# Settings of the whole machine that make a judge of many namespaces fast. Put back at the end.
KNOBS = (
    # Destroying a namespace waits for RCU several times: 5 to 8 times faster.
    ('/sys/kernel/rcu_expedited', '1'),
    # A conntrack dump walks all buckets of the machine: 9 ms with the usual 262144.
    ('/proc/sys/net/netfilter/nf_conntrack_buckets', '1024'),
    # Dynamic neighbours are counted over all namespaces.
    ('/proc/sys/net/ipv4/neigh/default/gc_thresh3', '65536'),
    ('/proc/sys/net/ipv6/neigh/default/gc_thresh3', '65536'),
    # ICMP redirects to one host are limited over time (ip_rt_send_redirect); probes follow one another at once.
    ('/proc/sys/net/ipv4/route/redirect_silence', '-1'),
    # So are errors about packets without a route (ip_error): five at once, then one a second.
    ('/proc/sys/net/ipv4/route/error_cost', '0'),
    # Multicast groups are reported again some random time within a second: once is enough (see also build.py).
    ('/proc/sys/net/ipv6/mld_qrv', '1'),
)


# Several judges may run at once: the first notes the old values, the last puts them back.
KNOBS_FOLDER = '/run/kernel-judge'


def tune_kernel():
    """Sets the knobs as far as allowed; answers the function that puts the old values back."""
    home = os.open('/proc/self/ns/net', os.O_RDONLY)
    os.makedirs(KNOBS_FOLDER, exist_ok=True)
    users = open(KNOBS_FOLDER + '/users', 'w', encoding='ascii')
    noted = KNOBS_FOLDER + '/before.json'
    with open(KNOBS_FOLDER + '/mutex', 'w', encoding='ascii') as mutex:
        fcntl.flock(mutex, fcntl.LOCK_EX)
        first = True
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            first = False
        # One that was killed has left its note: those are the values from before it.
        if first and not os.path.exists(noted):
            with open(noted, 'w', encoding='ascii') as file:
                json.dump([(path, read_knob(path)) for path, _ in KNOBS], file)
        fcntl.flock(users, fcntl.LOCK_SH)
        for path, value in KNOBS:
            write_knob(path, value)

    def restore():
        check(libc.setns(home, CLONE_NEWNET), 'setns')
        with open(KNOBS_FOLDER + '/mutex', 'w', encoding='ascii') as mutex:
            fcntl.flock(mutex, fcntl.LOCK_EX)
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            with open(noted, encoding='ascii') as file:
                for path, old in json.load(file):
                    write_knob(path, old)
            os.unlink(noted)

    return restore


def read_knob(path):
    try:
        with open(path, encoding='ascii') as file:
            return file.read().strip()
    except OSError:
        return None


def write_knob(path, value):
    try:
        if value is not None and read_knob(path) != value:
            with open(path, 'w', encoding='ascii') as file:
                file.write(value)
    except OSError:
        pass


def enter_private_namespaces():
    check(libc.unshare(CLONE_NEWNS | CLONE_NEWNET), 'unshare')
    check(libc.mount(None, b'/', None, MS_REC_PRIVATE, None), 'mount private')
    for folder in ('/run/netns', '/etc/netns'):
        os.makedirs(folder, exist_ok=True)
        check(libc.mount(b'tmpfs', folder.encode(), b'tmpfs', 0, None), 'mount ' + folder)
    # sysfs shows the devices of the namespace it was mounted in.
    check(libc.mount(b'sysfs', b'/sys', b'sysfs', 0, None), 'mount /sys')


MNT_DETACH = 2


def remove_all():
    """Lets go of every namespace of the private world; the kernel takes them apart on its own time."""
    for name in os.listdir('/run/netns'):
        path = '/run/netns/' + name
        libc.umount2(path.encode(), MNT_DETACH)
        os.unlink(path)


class Netns:
    """One namespace, entered with `with`; what is opened inside belongs to it for good."""

    home = None

    def __init__(self, name):
        self.name = name
        self.file = os.open('/run/netns/' + name, os.O_RDONLY)
        self.link_names = {}
        self.route_socket = None
        if Netns.home is None:
            Netns.home = os.open('/proc/self/ns/net', os.O_RDONLY)

    def __enter__(self):
        check(libc.setns(self.file, CLONE_NEWNET), 'setns ' + self.name)
        return self

    def __exit__(self, *_):
        check(libc.setns(Netns.home, CLONE_NEWNET), 'setns home')

    def socket(self, *what):
        with self:
            return socket.socket(*what)

    def learn_links(self):
        with self:
            self.link_names = dict(socket.if_nameindex())

    def write(self, path, text):
        with self, open(path, 'w', encoding='ascii') as file:
            file.write(text)

    def flush_routes(self):
        """Forgets path MTU exceptions and redirects."""
        for family in ('ipv4', 'ipv6'):
            try:
                self.write(f'/proc/sys/net/{family}/route/flush', '0' if family == 'ipv6' else '1')
            except OSError:
                continue

    def forget_recent(self):
        """Empties the lists of -m recent (xt_recent: `/` written to a list)."""
        with self:
            try:
                lists = os.listdir('/proc/net/xt_recent')
            except OSError:
                return
            for name in lists:
                with open('/proc/net/xt_recent/' + name, 'w', encoding='ascii') as file:
                    file.write('/')

    def offloads_off(self):
        """Real segments and full checksums on every device: what a network card would put on the wire."""
        with self.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            for name in self.link_names.values():
                # ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO, ETHTOOL_STXCSUM
                for command in (0x1f, 0x24, 0x2c, 0x17):
                    value = array.array('B', struct.pack('II', command, 0))
                    try:
                        fcntl.ioctl(control, 0x8946, struct.pack('16sP8x', name.encode(), value.buffer_info()[0]))
                    except OSError:
                        continue  # lo does its checksums in the driver and cannot be told otherwise

    def ask_for_carrier(self, link):
        """ETHTOOL_GLINK: since Linux 6.8 who asks for the carrier need not wait for the kernel thread."""
        with self.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            value = array.array('B', struct.pack('II', 0x0a, 0))
            try:
                fcntl.ioctl(control, 0x8946, struct.pack('16sP8x', link.encode(), value.buffer_info()[0]))
            except OSError:
                pass

    def rtnetlink(self):
        if self.route_socket is None:
            self.route_socket = self.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
            self.route_socket.bind((0, 0))
        return self.route_socket

    def close(self):
        if self.route_socket is not None:
            self.route_socket.close()
        os.close(self.file)
