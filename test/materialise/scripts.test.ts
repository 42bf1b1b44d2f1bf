import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { podwalk } from '../cli/run-podwalk.ts'
import { LAB_NAMES } from '../labs.ts'

/** What `podwalk lab materialise` writes is really run: as root, in a world of its own so that labs do not meet. */

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'podwalk materialise-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let made = 0

/** A directory whose name no script should stumble over. */
function materialised(lab: string, ...more: readonly string[]): string {
  const directory = join(folder, `${lab} of "$HOME" & 'you' ${++made}`)
  const run = podwalk('lab', 'materialise', '--lab', lab, '-o', directory, ...more)
  expect(run).toMatchObject({ code: 0, out: '' })
  expect(run.err).toMatch(/^\d+ files, \d+ namespaces\. Read .*README\.md, or run: sudo .*up\.sh\n$/)
  return directory
}

describe.each(LAB_NAMES)('%s', (lab) => {
  test('has scripts that bash and python read', () => {
    const directory = materialised(lab)
    const files = readdirSync(directory)
    for (const script of files.filter((file) => file.endsWith('.sh')))
      expect(spawnSync('bash', ['-n', script], { cwd: directory }).stderr.toString(), script).toBe('')
    for (const program of files.filter((file) => file.endsWith('.py'))) {
      const check = 'import ast, sys; ast.parse(open(sys.argv[1]).read())'
      expect(spawnSync('python3', ['-c', check, program], { cwd: directory }).stderr.toString(), program).toBe('')
    }
  })

  test('gives every link its MAC address', () => {
    const directory = materialised(lab, '--prefix', 'macs-')
    const added = readdirSync(directory)
      .filter((file) => /\.(ip|batch)$/.test(file))
      .flatMap((file) => readFileSync(join(directory, file), 'utf8').split('\n'))
      .filter((line) => line.startsWith('link add'))
    expect(added.length).toBeGreaterThan(10)
    const ends = added.flatMap((line) => line.split(' type veth peer name ').map((end) => end))
    for (const end of ends) expect(end).toMatch(/ address ([0-9a-f]{2}:){5}[0-9a-f]{2} /)
  })
})

const isRoot = process.getuid?.() === 0
if (!isRoot && process.env.CI === undefined) console.log('materialise: scripts are not run, as that takes root')

interface Ran {
  readonly code: number | null
  readonly out: string
}

/** Runs words of bash in the directory, in namespaces of its own. */
function inOwnWorld(directory: string, script: string, unshare: readonly string[] = ['-mn']): Ran {
  const done = spawnSync('unshare', [...unshare, 'bash', '-c', script], { cwd: directory, encoding: 'utf8' })
  return { code: done.status, out: `${done.stdout}${done.stderr}` }
}

/** A port of a bridge forwards some time after it is up, and BIRD takes a while. */
const FETCH = `fetch() { for i in $(seq 60); do ./enter.sh "$1" curl -s -m 1 "$2" && return; done; echo "no answer from $2"; }`
const MOUNTS = 'grep -c /run/netns /proc/mounts'
const OWN_RUN = `exec 2>&1; mount -t tmpfs tmpfs /run; mkdir /run/netns; mount -t tmpfs tmpfs /run/netns; mounts=$(${MOUNTS})`
const LEFT = `echo "left: $(ls /run/netns) $(ls -A | grep -E '^[.](up|.*pid|.*ctl)$') $(( $(${MOUNTS}) - mounts ))"`
/** Programs in the namespaces would hold them; of this directory there are as many as before. */
const PROGRAMS = `for pid in $(pgrep -f "servers.py|flanneld-udp.py|bird -c podwalk"); do readlink /proc/$pid/cwd; done | grep -cxF "$PWD"`

const QUESTIONS = [
  'fetch default/client http://far',
  'fetch client http://far.default.svc.cluster.local',
  'fetch client http://near',
  'fetch laptop http://192.168.40.181:30082',
  'fetch xianchaonode1 http://10.100.0.12',
]

describe.skipIf(!isRoot && process.env.CI === undefined)('up.sh, enter.sh and down.sh', () => {
  const labs: readonly { readonly lab: string; readonly words: readonly string[] }[] = [
    ...LAB_NAMES.map((lab) => ({ lab, words: [] })),
    { lab: 'textbook-calico-bgp', words: ['--bgp', 'bird'] },
    { lab: 'textbook-flannel-vxlan', words: ['--proxy', 'nftables'] },
  ]

  test.each(labs)('$lab $words is up, answers across nodes through Services, and leaves nothing', ({ lab, words }) => {
    if (words.includes('bird') && spawnSync('bird', ['--version']).error !== undefined)
      return expect(process.env.CI, 'CI has bird').toBeUndefined()
    const directory = materialised(lab, ...words)
    const before = `before=$(${PROGRAMS})`
    // A program that was ended may take its time on a busy machine.
    const after = `for _ in {1..50}; do [ "$(${PROGRAMS})" = "$before" ] && echo "no program left" && break; sleep 0.2; done`
    const { code, out } = inOwnWorld(
      directory,
      [OWN_RUN, FETCH, before, './up.sh', './up.sh', ...QUESTIONS, './down.sh', after, './down.sh', LEFT].join('\n'),
    )
    expect(out.split('\n')).toEqual([
      'The cluster is up. ./enter.sh tells the ways in, ./down.sh takes it down.',
      'The cluster is up already; ./down.sh takes it down.',
      'far',
      'far',
      'near',
      'far',
      'far',
      'The cluster is down.',
      'no program left',
      'Nothing is up.',
      'left:   0',
      '',
    ])
    expect(code).toBe(0)
  })

  test('the example of the README is true', () => {
    const block = /```sh\n(podwalk lab materialise [\s\S]*?)```/.exec(readFileSync('README.md', 'utf8'))?.[1] ?? ''
    const [first = '', ...rest] = block.trimEnd().split('\n')
    const directory = join(folder, 'readme')
    const words = first.split(' ').slice(1)
    expect(podwalk(...words.map((word) => (word === '/tmp/cluster' ? directory : word))).code).toBe(0)
    const lines = rest.map((line) => line.replace('sudo /tmp/cluster/', './'))
    const { out, code } = inOwnWorld(directory, [OWN_RUN, ...lines].join('\n'))
    expect(out).toMatch(
      /^The cluster is up\..*\nmy-nginx-\S+\n\d+: flannel\.1: [\s\S]* vxlan id 1 [\s\S]*The cluster is down\.\n$/,
    )
    expect(code).toBe(0)
  })

  test('a segment that drops the tunnel drops it here too', () => {
    const fault = join(folder, 'fault.yaml')
    writeFileSync(
      fault,
      'apiVersion: podwalk/v1alpha1\nkind: Lab\nspec: { faults: [{ kind: udpBlocked, port: 8472 }] }\n',
    )
    const directory = materialised('textbook-flannel-vxlan', '-f', fault, '--prefix', 'fault-')
    const far = './enter.sh client curl -sS -m 3 http://far'
    const { out } = inOwnWorld(directory, [OWN_RUN, FETCH, './up.sh', QUESTIONS[2], far, './down.sh'].join('\n'))
    expect(out).toMatch(/is up\..*\nnear\ncurl: \(28\).*\nThe cluster is down\.\n$/)
  })

  test('legacy iptables hold the same rules', () => {
    const rules = './enter.sh xianchaonode1 iptables-legacy-save | grep -c KUBE-SVC'
    const { out } = inOwnWorld(
      materialised('textbook-flannel-host-gw', '--prefix', 'legacy-'),
      [OWN_RUN, FETCH, 'IPTABLES_BACKEND=legacy ./up.sh', rules, QUESTIONS[0], './down.sh'].join('\n'),
    )
    expect(out).toMatch(/is up\..*\n[1-9]\d*\nfar\nThe cluster is down\.\n$/)
  })

  test('what is there already is left alone', () => {
    const directory = materialised('textbook-flannel-vxlan', '--prefix', 'mine-')
    const { out } = inOwnWorld(
      directory,
      [
        OWN_RUN,
        'ip netns add mine-gw',
        './up.sh; echo $?',
        'ip netns list',
        'ip netns del mine-gw; ip netns add other',
        './up.sh; ip netns del mine-gw; ip netns add mine-gw; ./down.sh',
        'ip netns list',
      ].join('\n'),
    )
    expect(out).toContain('up.sh: there is a namespace mine-gw already, and not from here: take another --prefix\n')
    expect(out).toContain('1\nmine-gw\nThe cluster is up.')
    expect(out).toMatch(/The cluster is down\.\n(mine-gw\nother|other\nmine-gw)\n$/)
  })

  test('a step that fails takes down what was made', () => {
    const directory = materialised('textbook-flannel-vxlan', '--prefix', 'broken-')
    writeFileSync(join(directory, 'broken-xianchaonode1.iptables'), '*filter\n-A NOWHERE -j ACCEPT\nCOMMIT\n')
    const { out } = inOwnWorld(directory, [OWN_RUN, './up.sh; echo "code $?"', LEFT].join('\n'))
    expect(out).toMatch(/up\.sh: line \d+ failed, so all is taken down again\ncode 1\nleft: {3}0\n$/)
  })

  test('namespaces that were made before one could not be are taken down', () => {
    const directory = materialised('textbook-flannel-vxlan', '--prefix', 'half-')
    const file = join(directory, 'netns.batch')
    writeFileSync(file, readFileSync(file, 'utf8').replace('netns add half-laptop', 'netns bogus half-laptop'))
    const { out } = inOwnWorld(directory, [OWN_RUN, './up.sh; echo "code $?"', LEFT].join('\n'))
    expect(out).toMatch(/so all is taken down again\ncode 1\nleft: {3}0\n$/)
  })

  test('a user namespace is enough, where the kernel allows it', () => {
    const directory = materialised('textbook-flannel-vxlan', '--prefix', 'user-')
    spawnSync('chmod', ['-R', 'a+rwX', folder])
    const nobody = ['--user', '--map-root-user', '-nm']
    const script = [FETCH, './up.sh', QUESTIONS[0], './down.sh', 'ls -A | grep -c "^[.]up$"'].join('\n')
    const done = spawnSync('unshare', [...nobody, 'bash', '-c', script], {
      cwd: directory,
      encoding: 'utf8',
      uid: 65534,
      gid: 65534,
    })
    if (/unshare.*not permitted/i.test(done.stderr)) {
      console.log('materialise: not run in a user namespace, which this kernel forbids')
      return
    }
    expect(done.stdout).toMatch(/^The cluster is up\..*\nfar\nThe cluster is down\.\n0\n$/)
  })

  test('a way that is not there, or not only one, is told', () => {
    const directory = materialised('two-racks', '--prefix', 'ways-')
    writeFileSync(
      join(directory, 'places.txt'),
      `${readFileSync(join(directory, 'places.txt'), 'utf8')}x\tother\tother/client\tfiles\n`,
    )
    const enter = (...args: readonly string[]) =>
      spawnSync('./enter.sh', args, { cwd: directory, encoding: 'utf8' }) as { stdout: string; stderr: string }
    expect(enter().stdout).toContain('\ndefault/client  on xianchaonode1\n')
    expect(enter('clint').stderr).toBe('enter.sh: there is no clint; ./enter.sh tells what there is\n')
    expect(enter('client').stderr).toMatch(
      /several of that name:\n {2}\S+\/default\/client\n {2}other\/other\/client\n/,
    )
    expect(enter('default/client').stderr).toBe('enter.sh: the cluster is not up: ./up.sh\n')
  })
})

describe('the directory', () => {
  const ask = (...args: readonly string[]) => podwalk('lab', 'materialise', ...args)

  test.each<[string, readonly string[], RegExp]>([
    ['is named', [], /^error: lab materialise writes many files: it needs a directory\n {2}do: name one: -o DIR\n/],
    ['is not standard output', ['-o', '-'], /^error: -o -: a cluster is many files.*\n {2}do: name a directory/],
    ['is no file', ['-o', 'package.json'], /^error: package\.json is a file\n {2}do: name a directory/],
    ['can be written', ['-o', '/proc/nowhere'], /^error: \/proc\/nowhere cannot be written: no such file/],
    ['is empty', ['-o', '.'], /^error: \. is not empty\n {2}do: name another directory, or .*--force/],
    ['holds names that a prefix allows', ['-o', 'x', '--prefix', 'a/b'], /^error: --prefix a\/b: it stands in file/],
    ['is of a lab that is there', ['-o', 'x', '--lab', 'none'], /^error: there is no built-in lab "none"/],
  ])('%s', (_, args, expected) => {
    const run = ask(...args)
    expect(run.err).toMatch(expected)
    expect(run).toMatchObject({ code: 2, out: '' })
    expect(existsSync('x')).toBe(false)
  })

  test('is written again with --force: what was ours and is no more goes, the rest stays', () => {
    const directory = join(folder, 'again')
    expect(ask('--lab', 'textbook-flannel-udp', '-o', directory).code).toBe(0)
    mkdirSync(join(directory, 'notes'))
    writeFileSync(join(directory, 'notes', 'mine.txt'), 'mine')
    expect(ask('--lab', 'textbook-flannel-vxlan', '-o', directory).code).toBe(2)
    expect(existsSync(join(directory, 'flanneld-udp.py'))).toBe(true)
    expect(ask('--lab', 'textbook-flannel-vxlan', '-o', directory, '--force').code).toBe(0)
    expect(existsSync(join(directory, 'flanneld-udp.py'))).toBe(false)
    expect(readFileSync(join(directory, 'notes', 'mine.txt'), 'utf8')).toBe('mine')
  })

  test('is not written while its cluster is up', () => {
    const directory = join(folder, 'busy')
    ask('-o', directory)
    writeFileSync(join(directory, '.up'), '')
    expect(ask('-o', directory, '--force').err).toMatch(/is up\n {2}do: take it down first: .*down\.sh/)
  })
})
