"""What this kernel and these tools can do, tried in a namespace of its own; each answer is `true` or the tool's own
words of refusal."""
import os
import platform
import subprocess

LINKS = {
    'veth': 'type veth peer name try1',
    'bridge': 'type bridge',
    'vxlan': 'type vxlan id 9 dstport 8472',
    'ipip': 'type ipip local 192.0.2.1 remote 192.0.2.2',
    'gre': 'type gre local 192.0.2.1 remote 192.0.2.2',
    'wireguard': 'type wireguard',
    'dummy': 'type dummy',
}


def first_line(text):
    return next((line.strip() for line in text.splitlines() if line.strip()), 'no words')


def attempt(argv, environment, stdin=None):
    try:
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, env=environment, check=False)
    except FileNotFoundError:
        return f'{argv[0]}: not installed'
    return True if done.returncode == 0 else first_line(done.stderr or done.stdout)


def capabilities(environment):
    """Runs in the namespace of the agent itself, which nothing else uses."""
    found = {}
    for name, words in LINKS.items():
        found['link ' + name] = attempt(['ip', 'link', 'add', 'try0', *words.split()], environment)
        subprocess.run(['ip', 'link', 'del', 'try0'], capture_output=True, check=False)
    found['tun'] = True if os.access('/dev/net/tun', os.R_OK | os.W_OK) else 'no /dev/net/tun'
    found['netem'] = attempt(['tc', 'qdisc', 'add', 'dev', 'lo', 'root', 'netem', 'delay', '1ms'], environment)
    for backend in ('legacy', 'nft'):
        for family, tool in ((4, 'iptables'), (6, 'ip6tables')):
            text = '*filter\n:TRY - [0:0]\n-A TRY -m conntrack --ctstate NEW -j RETURN\nCOMMIT\n*nat\nCOMMIT\n'
            found[f'iptables-{backend} IPv{family}'] = attempt([f'{tool}-{backend}-restore'], environment, text)
        for name, rule in (('nfacct', '-m nfacct --nfacct-name try'), ('ipvs', '-m ipvs --ipvs'),
                           ('recent', '-m recent --name try --rcheck --seconds 10800 --reap'),
                           ('statistic', '-m statistic --mode random --probability 0.5')):
            subprocess.run(['nfacct', 'add', 'try'], capture_output=True, check=False) if name == 'nfacct' and _has('nfacct') else None
            text = f'*filter\n:TRY2 - [0:0]\n-A TRY2 {rule}\nCOMMIT\n'
            found[f'iptables-{backend} -m {name}'] = attempt([f'iptables-{backend}-restore', '--noflush'], environment, text)
        subprocess.run([f'iptables-{backend}-restore'], input='*filter\nCOMMIT\n*nat\nCOMMIT\n', capture_output=True,
                       text=True, env=environment, check=False)
    found['nft'] = attempt(['nft', '-f', '-'], environment, 'table inet try\ndelete table inet try\n')
    found['ipset'] = attempt(['ipset', 'create', 'try', 'hash:ip'], environment)
    subprocess.run(['ipset', 'destroy', 'try'], capture_output=True, check=False)
    found['br_netfilter'] = (True if os.path.exists('/proc/sys/net/bridge/bridge-nf-call-iptables')
                             else 'no /proc/sys/net/bridge')
    found['conntrack'] = True if os.path.exists('/proc/sys/net/netfilter/nf_conntrack_count') else 'no conntrack'
    found['ipv6'] = True if os.path.exists('/proc/sys/net/ipv6') else 'no IPv6'
    return found


def _has(tool):
    return any(os.access(os.path.join(folder, tool), os.X_OK) for folder in os.environ['PATH'].split(':'))


def version_of(*argv):
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return 'not installed'
    return first_line(done.stdout or done.stderr)


def versions():
    return {
        'kernel': platform.release(),
        'python': platform.python_version(),
        'iproute2': version_of('ip', '-V'),
        'iptables': version_of('iptables-legacy', '-V'),
        'nft': version_of('nft', '-V'),
        'ipset': version_of('ipset', '-v'),
    }
