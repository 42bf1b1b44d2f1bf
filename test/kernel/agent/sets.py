"""Sets of nftables whose elements come by packets and end by time: session affinity."""
import json
import os
import subprocess


class LearntSets:
    """Those of one namespace; nft 1.0.6 does not tell in JSON that a set is dynamic, only that it times out."""

    def __init__(self, netns):
        self.netns = netns
        listed = self.nft(['-j', 'list', 'sets'])
        sets = [item['set'] for item in json.loads(listed)['nftables'] if 'set' in item]
        self.flushing = ''.join(f'flush set {one["family"]} {one["table"]} {one["name"]}\n' for one in sets
                                if 'timeout' in one.get('flags', []))

    def forget(self):
        self.nft(['-f', '-'], self.flushing)

    def nft(self, arguments, text=''):
        with self.netns:
            return subprocess.run(['nft', *arguments], input=text, capture_output=True, text=True, check=True).stdout


def learnt_sets(directory, steps, netns):
    """Of each namespace whose ruleset has such sets."""
    for step in steps:
        if step['tool'] != 'nft':
            continue
        with open(os.path.join(directory, step['file']), encoding='utf-8') as file:
            if 'dynamic' in file.read():
                yield LearntSets(netns[step['netns']])
