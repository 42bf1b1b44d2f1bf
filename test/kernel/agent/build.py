"""Builds a lab from the files of a directory, step by step as its up.sh does, but without a process for what can be
done in this one."""
import os
import subprocess

from netns import Netns
from rule_trace import OWN_TABLE


def build(directory, steps, environment):
    """Answers the lines in which a tool refused something; raises where a step failed as a whole."""
    refused = []
    entered = set()
    for step in steps:
        path = os.path.join(directory, step['file'])
        if step['netns'] is None:
            refused += run([step['tool'], '-batch', path], environment, None)
            continue
        netns = Netns(step['netns'])
        try:
            with netns:
                if step['netns'] not in entered:
                    entered.add(step['netns'])
                    report_groups_once()
                refused += inside(step, path, environment)
        finally:
            netns.close()
    return refused


def report_groups_once():
    """A bridge joins the group of multicast snoopers, and would say so again at a random time within a second."""
    set_sysctl('net.ipv4.igmp_qrv=1')


def inside(step, path, environment):
    tool = step['tool']
    if tool in ('ip', 'bridge'):
        return run([tool, '-force', '-batch', path], environment, None, may_refuse=True)
    if tool == 'sysctl':
        with open(path, encoding='utf-8') as file:
            return [refusal for line in file for refusal in set_sysctl(line.rstrip('\n'))]
    restored = {'ipset': ['ipset', 'restore'], 'nft': ['nft', '-f', '-']}
    argv = restored.get(tool, [f'{tool}-{environment["IPTABLES_BACKEND"]}-restore'])
    with open(path, encoding='utf-8') as file:
        return run(argv, environment, file)


RULES = ('iptables', 'ip6tables', 'nft')


class CountedRules:
    """The rules of namespaces where one counts packets: its count begins anew when they are restored."""

    def __init__(self, directory, steps, environment):
        self.directory = directory
        self.environment = environment
        counted = {step['netns'] for step in steps if step['tool'] in RULES and self.counts(step)}
        self.steps = [step for step in steps if step['tool'] in RULES and step['netns'] in counted]

    def counts(self, step):
        with open(os.path.join(self.directory, step['file']), encoding='utf-8') as file:
            return '--mode nth' in file.read()

    def restore(self):
        """Answers the namespaces whose rules are new."""
        names = {step['netns'] for step in self.steps}
        for name in names:
            self.clear(name)
        build(self.directory, self.steps, self.environment)
        return names

    def clear(self, name):
        """Tables of nf_tables are in the order in which they were made: so all are made again."""
        netns = Netns(name)
        try:
            with netns:
                listed = run(['nft', 'list', 'tables'], self.environment, None, told=True)
                own = [line for line in listed if not line.endswith(' ' + OWN_TABLE)]
                for line in own:
                    run(['nft', 'delete', *line.split()], self.environment, None)
        finally:
            netns.close()


def set_sysctl(line):
    """KEY=VALUE, where a slash in the key is a dot in a device's name (sysctl(8))."""
    key, value = line.split('=', 1)
    try:
        with open('/proc/sys/' + key.translate(str.maketrans('./', '/.')), 'w', encoding='ascii') as file:
            file.write(value)
    except OSError as failure:
        return [f'sysctl {line}: {failure.strerror}']
    return []


def run(argv, environment, stdin, may_refuse=False, told=False):
    """Answers the lines of complaint, or those of the answer."""
    done = subprocess.run(argv, stdin=stdin or subprocess.DEVNULL, capture_output=True, text=True, env=environment,
                          check=False)
    words = [line for line in done.stderr.splitlines() if line.strip()]
    if done.returncode and not may_refuse:
        raise RuntimeError(f'{" ".join(argv)}: {" / ".join(words)}')
    return done.stdout.splitlines() if told else words
