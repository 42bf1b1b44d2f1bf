"""Records how nft lists what it is given: rules one by one, and a whole ruleset. Needs root and nft.

unshare -n python3 test/cases/nftables/record.py
"""
import json
import pathlib
import subprocess

HERE = pathlib.Path(__file__).parent

SETUP = '''add table {f} t
add chain {f} t x
add chain {f} t y
add set {f} t a2 {{ type {a} ; }}
add set {f} t i {{ type {a} ; flags dynamic,timeout ; timeout 1h ; }}
add map {f} t m {{ type {a} . inet_proto . inet_service : verdict ; }}
add map {f} t m2 {{ type inet_proto . inet_service : verdict ; }}
add set {f} t h {{ type {a} . {a} . inet_proto . inet_service ; }}
add chain {f} t f {{ type filter hook input priority 0 ; }}
add chain {f} t n {{ type nat hook prerouting priority -100 ; }}
add chain {f} t p {{ type nat hook postrouting priority 100 ; }}
'''


def nft(text):
    return subprocess.run(['nft', '-f', '-'], input=text, text=True, capture_output=True)


def listed(*words):
    return subprocess.run(['nft', 'list', *words], text=True, capture_output=True, check=True).stdout


def rules(family, lines):
    address = 'ipv4_addr' if family == 'ip' else 'ipv6_addr'
    done = nft(SETUP.format(f=family, a=address))
    if done.returncode:
        raise SystemExit(done.stderr)
    for chain, rule in lines:
        nft(f'flush chain {family} t {chain}\n')
        done = nft(f'add rule {family} t {chain} {rule}\n')
        if done.returncode:
            raise SystemExit(f'{rule}: {done.stderr}')
        body = [line[2:] for line in listed('chain', family, 't', chain).split('\n') if line.startswith('\t\t')]
        yield {'family': family, 'given': rule, 'listed': [line for line in body if not line.startswith('type ')][0]}
    nft(f'delete table {family} t\n')


def main():
    version = subprocess.run(['nft', '-v'], text=True, capture_output=True, check=True).stdout.strip()
    given = [line.split(' ', 2) for line in (HERE / 'rules.txt').read_text().splitlines() if line]
    found = []
    for family in ('ip', 'ip6', 'inet'):
        found += rules(family, [(chain, rule) for own, chain, rule in given if own == family])
    (HERE / 'rules.json').write_text(json.dumps({'nft': version, 'rules': found}, indent=1) + '\n')
    done = nft((HERE / 'ruleset.nft').read_text())
    if done.returncode:
        raise SystemExit(done.stderr)
    (HERE / 'ruleset.txt').write_text(listed('ruleset'))


main()
