#!/usr/bin/env python3
"""The hands of the kernel judge: one process that builds a lab of network namespaces, sends real packets, and tells
every frame and rule hit in order. JSON lines in, JSON lines out; see agent.ts for the requests and answers.

It stands in its own mount and network namespaces with an empty /run/netns, so names cannot collide with anything
and all is gone when it ends. Python standard library only."""
import atexit
import json
import os
import platform
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

from actors import Actors
from build import CountedRules, build
from capabilities import capabilities, versions
from capture import Ring
from netns import Netns, enter_private_namespaces, remove_all, tune_kernel
from rule_trace import LegacyTrace, NftTrace, mark_for_trace
from sets import learnt_sets
from sockets import tcp_abort
from tables import conntrack, conntrack_flush, fdb, fdb_flush, links, neighbours, neighbours_flush

# A frame may be followed by work that a kernel thread has been woken for; this long without any sign of life ends it.
QUIET_SECONDS = 0.003
CARRIER_SECONDS = 5.0


class Lab:
    def __init__(self, request, environment):
        self.directory = request['directory']
        self.names = request['netns']
        self.traced = request.get('traced', [])
        self.bridges = {}
        self.environment = dict(environment, IPTABLES_BACKEND=request.get('backend', 'legacy'))
        self.refused = build(self.directory, request['steps'], self.environment)
        self.netns = {name: Netns(name) for name in self.names}
        self.counted = CountedRules(self.directory, request['steps'], self.environment)
        self.sets = list(learnt_sets(self.directory, request['steps'], self.netns))
        self.offloads_off()
        self.wait_for_carrier()
        if self.traced:
            mark_for_trace([self.netns[name] for name in self.traced])
        legacy = self.environment['IPTABLES_BACKEND'] == 'legacy'
        self.traces = {name: (LegacyTrace if legacy else NftTrace)(self.netns[name]) for name in self.traced}
        self.rings = [Ring(self.netns[name], request.get('ringFrames', 512)) for name in self.names]
        self.actors = Actors(self.netns)
        self.learn_names()
        # Multicast groups are announced from a timer, some milliseconds after a device or address comes up.
        self.drain(0.03 if request.get('ipv6') else 0.015)

    def start(self, actors):
        for actor in actors:
            self.actors.start(actor)
        self.learn_names()
        # A tun gets its carrier from who opens it.
        if any(actor['program'] == 'flannel-udp' for actor in actors):
            self.wait_for_carrier()

    def learn_names(self):
        """Interface names of each namespace; asked again where a program may have made a device."""
        for one in self.netns.values():
            one.learn_links()

    def offloads_off(self):
        for one in self.netns.values():
            one.learn_links()
            one.offloads_off()

    def wait_for_carrier(self):
        """Pairs whose both ends are up get their carrier from a kernel thread, and a bridge port forwards only then."""
        deadline = time.monotonic() + CARRIER_SECONDS
        # A device that has lost its carrier for good keeps its queue until the kernel thread has seen it.
        for one in self.netns.values():
            for link in links(one):
                if link['up'] and not link['lower']:
                    one.ask_for_carrier(link['name'])
        waiting = ['?']
        while waiting:
            waiting = [
                (one, link['name'])
                for one in self.netns.values() for link in links(one)
                if link['up'] and link['lower'] and (link['operstate'] not in (0, 6) or link['blocked'])
            ]
            if waiting and time.monotonic() > deadline:
                raise RuntimeError('no carrier on ' + ', '.join(f'{one.name} {link}' for one, link in waiting))
            for one, link in waiting:
                one.ask_for_carrier(link)
            if waiting:
                time.sleep(0.001)

    def frames(self):
        frames = [frame for ring in self.rings for frame in ring.read()]
        frames.sort(key=lambda frame: frame[0])
        return frames

    def settle(self, request, deadline):
        """Runs the sockets until nothing has moved for the quiet time; answers the frames seen."""
        seen = []
        quiet = request.get('quietMs', QUIET_SECONDS * 1000) / 1000
        until = time.monotonic() + request.get('observeMs', 0) / 1000
        last = time.monotonic()
        while True:
            moved = self.actors.pump()
            frames = self.frames()
            now = time.monotonic()
            if moved or frames:
                seen += frames
                last = now
            elif now - last > quiet and now > until:
                return seen
            if now > deadline:
                return seen
            if not moved and not frames:
                self.actors.wait(0.0005)

    def drain(self, quiet=QUIET_SECONDS):
        for trace in self.traces.values():
            trace.read()
        return self.settle({'quietMs': quiet * 1000}, time.monotonic() + 1)

    def reset(self):
        """Forgets what traffic has taught. Deleting a neighbour that a packet waits for makes the kernel send an
        ICMP error, which may teach again: so until silence."""
        self.actors.close_connections()
        for one in self.netns.values():
            tcp_abort(one)
        for _ in range(6):
            for one in self.netns.values():
                neighbours_flush(one)
            if not self.drain():
                break
        for one in self.netns.values():
            fdb_flush(one)
            conntrack_flush(one)
            one.flush_routes()
        for name in self.traced:
            self.netns[name].forget_recent()
        for sets in self.sets:
            sets.forget()
        for name in self.counted.restore():
            self.traces[name].rules_are_new()
        for trace in self.traces.values():
            trace.read()

    def probe(self, request):
        start = time.monotonic()
        self.actors.forget()
        frames = self.drain()
        for trace in self.traces.values():
            trace.read()
        stray = len(frames)
        seen = []
        for flow in request['flows']:
            self.actors.begin(flow)
            seen += self.settle(request, start + request.get('limitMs', 10000) / 1000)
        answer = {
            # Sorted again: what other threads sent may have reached one ring after it was read and before the next was.
            'frames': [frame_json(frame) for frame in sorted(seen, key=lambda frame: frame[0])],
            'rules': {name: trace.read() for name, trace in self.traces.items()},
            'sockets': self.actors.log,
            'stray': stray,
            'lost': sum(ring.lost() for ring in self.rings),
        }
        answer.update(self.collect(request.get('collect', self.names)))
        answer['ms'] = round((time.monotonic() - start) * 1000, 3)
        return answer

    def collect(self, names):
        return {
            'conntrack': {name: conntrack(self.netns[name]) for name in names},
            'neighbours': {name: neighbours(self.netns[name]) for name in names},
            'fdb': {name: fdb(self.netns[name]) for name in names},
        }

    def down(self):
        self.actors.close()
        for ring in self.rings:
            ring.close()
        for trace in self.traces.values():
            trace.close()
        for one in self.netns.values():
            one.close()
        remove_all()


def teaches_for_good(frames):
    """Whether the kernel has learned what it forgets on no request: IPv6 path MTUs and redirects live in exceptions
    of a route until they expire (rt6_age_exceptions)."""
    return any(frame['kind'] == 'ethernet' and frame['bytes'][24:28] == '86dd' and frame['bytes'][40:42] == '3a'
               and frame['bytes'][108:110] in ('02', '89') for frame in frames)


def frame_json(frame):
    stamp, netns, device, direction, kind, length, data = frame
    return {'at': stamp, 'netns': netns, 'device': device, 'direction': direction, 'kind': kind, 'length': length,
            'bytes': data.hex()}


class Agent:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix='kernel-agent-')
        atexit.register(shutil.rmtree, self.folder, True)
        # iptables-legacy takes one lock for all namespaces of a machine: ours is our own.
        self.environment = dict(os.environ, XTABLES_LOCKFILE=os.path.join(self.folder, 'xtables.lock'))
        self.lab = None

    def up(self, request):
        lab, self.lab = self.lab, None
        if lab:
            lab.down()
        # A lab that could not be built as a whole leaves its namespaces behind.
        remove_all()
        self.lab = Lab(request, self.environment)

    def rounds(self, requests):
        done = []
        for request in requests:
            self.lab.reset()
            done.append(self.lab.probe(request))
            if teaches_for_good(done[-1]['frames']):
                break
        return done

    def answer(self, request):
        do = request['do']
        if do == 'hello':
            return {'versions': versions(), 'capabilities': capabilities(self.environment), 'pid': os.getpid()}
        if do == 'up':
            self.up(request)
            return {'refused': self.lab.refused}
        if do == 'run':
            self.up(request)
            self.lab.start(request['actors'])
            return {'refused': self.lab.refused, 'rounds': self.rounds(request['rounds'])}
        if self.lab is None:
            raise RuntimeError('no lab is up')
        if do == 'start':
            self.lab.start([request['actor']])
            return {}
        if do == 'stop':
            self.lab.actors.close()
            self.lab.drain()
            return {}
        if do == 'reset':
            self.lab.reset()
            return {}
        if do == 'probe':
            return self.lab.probe(request)
        if do == 'command':
            done = subprocess.run(request['argv'], capture_output=True, text=True, check=False, env=self.environment)
            return {'status': done.returncode, 'stdout': done.stdout, 'stderr': done.stderr}
        if do == 'down':
            self.lab.down()
            self.lab = None
            return {}
        raise RuntimeError('unknown request ' + do)


def main():
    restore = tune_kernel()
    atexit.register(restore)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    enter_private_namespaces()
    # With everything on one CPU a whole journey runs inside one send(): the order of frames is the kernel's own.
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[int(os.environ.get('KERNEL_AGENT_CPU', '-1'))]})
    agent = Agent()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {'id': request['id'], 'ok': True, **agent.answer(request)}
        except Exception as failure:  # the judge must hear of every failure, and the agent must stay for the next lab
            answer = {'id': request['id'], 'ok': False, 'error': str(failure), 'trace': traceback.format_exc()}
        sys.stdout.write(json.dumps(answer) + '\n')
        sys.stdout.flush()


if __name__ == '__main__':
    main()
