"""One client asks a Service, the rules change, and it asks again by the same socket: what the running kernel does.

Reads one JSON object from standard input, prints one. Runs as root in network and mount namespaces of its own, of
which this one is the node.
"""
import ctypes
import json
import os
import select
import socket
import subprocess
import sys
import threading

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
TYPES = {"udp": socket.SOCK_DGRAM, "tcp": socket.SOCK_STREAM}


def run(command, text=None):
    done = subprocess.run(command, shell=True, input=text, text=True, capture_output=True)
    if done.returncode != 0:
        raise RuntimeError(f"{command}: {done.stderr.strip()}")
    return done.stdout


def inside(name, act):
    """What `act` returns when it is done in that namespace: a socket stays in the one it was made in."""
    kept = {}

    def work():
        with open(f"/run/netns/{name}") as space:
            if LIBC.setns(space.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
        kept["value"] = act()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return kept["value"]


def add_pod(pod):
    name, link = pod["name"], f"v{pod['name']}"
    run(f"ip netns add {name}")
    run(f"ip link add {link} type veth peer name eth0 netns {name}")
    run(f"ip link set {link} up")
    mac = json.loads(run(f"ip -j link show {link}"))[0]["address"]
    run(f"ip route add {pod['ip']}/32 dev {link}")
    inn = f"ip -n {name}"
    run(f"{inn} link set lo up && {inn} link set eth0 up && {inn} addr add {pod['ip']}/32 dev eth0")
    run(f"{inn} route add 169.254.1.1 dev eth0 scope link && {inn} route add default via 169.254.1.1 dev eth0")
    run(f"{inn} neigh add 169.254.1.1 lladdr {mac} dev eth0")


def listen(pod, protocol, port):
    def act():
        server = socket.socket(socket.AF_INET, TYPES[protocol])
        server.bind(("", port))
        if protocol == "tcp":
            server.listen()
        return server

    return inside(pod["name"], act)


def serve(servers, connections, until):
    """Answers with the pod's name whatever comes, until the client has heard something or the time is over."""
    while True:
        ready, _, _ = select.select([until, *servers.values(), *connections], [], [], 1.0)
        if not ready:
            return
        for name, server in servers.items():
            if server not in ready:
                continue
            if server.type == socket.SOCK_STREAM:
                connections[server.accept()[0]] = name
            else:
                server.sendto(name.encode(), server.recvfrom(2048)[1])
        for connection, name in list(connections.items()):
            if connection in ready and connection.recv(2048):
                connection.sendall(name.encode())
        if until in ready:
            return


def ask(client, servers, connections):
    try:
        client.send(b"who?")
        serve(servers, connections, client)
        client.settimeout(0.1)
        return client.recv(2048).decode()
    except ConnectionRefusedError:
        return "ECONNREFUSED"
    except TimeoutError:
        return None


def main():
    job = json.load(sys.stdin)
    os.makedirs("/run/netns", exist_ok=True)
    run("mount -t tmpfs none /run/netns && ip link set lo up && sysctl -qw net.ipv4.ip_forward=1")
    run("ip link add eth0 type veth peer name far && ip link set eth0 up && ip link set far up")
    run("ip addr add 192.168.40.11/24 dev eth0 && ip route add default via 192.168.40.1 dev eth0")
    for pod in job["pods"]:
        add_pod(pod)
    for command in job["before"]:
        run(command["run"], command.get("text"))
    protocol = job["protocol"]
    servers = {pod["name"]: listen(pod, protocol, job["port"]) for pod in job["pods"] if pod["serves"]}
    connections = {}
    client = inside(job["client"], lambda: socket.socket(socket.AF_INET, TYPES[protocol]))
    connecting = threading.Thread(target=client.connect, args=((job["to"], job["toPort"]),))
    connecting.start()
    connecting.join()
    answers = [ask(client, servers, connections)]
    for name in job["gone"]:
        servers.pop(name).close()
        run(f"ip link del v{name} && ip netns del {name}")
    for command in job["after"]:
        run(command["run"], command.get("text"))
    answers.append(ask(client, servers, connections))
    print(json.dumps({"answers": answers, "saved": run("iptables-save")}))


main()
