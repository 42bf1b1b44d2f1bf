import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PROGRAM, runProgram, timedProgram } from './program.ts'

/** The built program as people start it: pipes, environment, standard input, big files. */

const LAB = join(import.meta.dirname, '..', '..', 'topologies', 'two-racks', 'lab.yaml')
const ASK = ['--from', 'pod/client', '--to', 'svc/far:80'] as const

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'podwalk-program-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

test('it is one file that can be run', () => {
  expect(statSync(PROGRAM).mode & 0o111).not.toBe(0)
  expect(readFileSync(PROGRAM, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/)
})

test('without words it shows a walk, and says how to go on', () => {
  const ran = runProgram([])
  expect(ran.code).toBe(0)
  expect(ran.out).toMatch(/^✓ DELIVERED {2}pod default\/client -> http:\/\/my-nginx\n/)
  expect(ran.err).toMatch(/podwalk trace --lab textbook-flannel-vxlan --from pod\/client --to http:\/\/my-nginx/)
})

test('from another folder it finds its labs', () => {
  expect(runProgram(['lab', 'list'], { cwd: folder }).out).toContain('two-racks')
  expect(runProgram(['trace', '--lab', 'two-racks', ...ASK], { cwd: folder }).code).toBe(0)
})

test('exit codes reach the shell', () => {
  expect(runProgram(['trace', '--from', 'pod/client', '--to', 'svc/empty:80']).code).toBe(1)
  expect(runProgram(['walk']).code).toBe(2)
  expect(runProgram(['trace', '--from', 'pod/client', '--to', '8.8.8.8:80']).code).toBe(3)
})

test.each<[string, () => string | Uint8Array]>([
  ['YAML', () => readFileSync(LAB, 'utf8')],
  ['YAML, packed', () => gzipSync(readFileSync(LAB))],
])('a snapshot from standard input: %s', (_, input) => {
  const ran = runProgram(['trace', '-f', '-', ...ASK], { input: input() })
  expect(ran.code).toBe(0)
  expect(ran.out).toContain('standard input:')
})

test('nothing from standard input', () => {
  const ran = runProgram(['trace', '-f', '-', ...ASK])
  expect(ran).toMatchObject({ code: 2, out: '' })
  expect(ran.err).toContain('standard input:1: the file is empty')
})

test('PODWALK_SNAPSHOT names the snapshot, and -f goes before it', () => {
  const far = ['trace', '--from', 'pod/client', '--to', 'pod/far:80']
  expect(runProgram(far, { env: { PODWALK_SNAPSHOT: LAB } }).out).toContain('192.168.50.182')
  expect(runProgram(far, { env: { PODWALK_SNAPSHOT: '/no/such/file' } }).code).toBe(2)
  expect(runProgram([...far, '-f', LAB], { env: { PODWALK_SNAPSHOT: '/no/such/file' } }).code).toBe(0)
})

test.each([{}, { NO_COLOR: '1' }, { TERM: 'dumb' }, { LANG: 'C', LC_ALL: 'C' }])('no colours in a pipe: %j', (env) => {
  expect(runProgram(['trace', ...ASK], { env }).out).not.toContain('\u001b')
})

test.each([
  [{}, true],
  [{ NO_COLOR: '1' }, false],
])('on a terminal, %j: colours %s', (env, colours) => {
  const command = `${process.execPath} ${PROGRAM} trace ${ASK.join(' ')}`
  const { NO_COLOR: _, CI: __, ...inherited } = process.env
  const ran = spawnSync('script', ['-qec', command, '/dev/null'], {
    env: { ...inherited, TERM: 'xterm', ...env },
    encoding: 'utf8',
  })
  if (ran.error !== undefined) return console.warn('skipped: there is no script(1)')
  expect(ran.stdout).toContain('DELIVERED')
  expect(ran.stdout.includes('\u001b[')).toBe(colours)
})

test('a reader that stops reading is no fault', () => {
  const command = `${process.execPath} ${PROGRAM} trace ${ASK.join(' ')} -o json -vv | head -c 100`
  const ran = spawnSync('bash', ['-c', `${command}; echo; echo "\${PIPESTATUS[0]}"`], { encoding: 'utf8' })
  expect(ran.stderr).toBe('')
  expect(ran.stdout.trimEnd().split('\n').at(-1)).toBe('0')
})

test('a long answer comes whole through a pipe', () => {
  const ran = runProgram(['trace', ...ASK, '-o', 'json', '-vv'])
  expect(ran.out.length).toBeGreaterThan(200_000)
  expect(JSON.parse(ran.out).kind).toBe('Trace')
})

test('a capture is written where one says', () => {
  const path = join(folder, 'far.pcapng')
  const ran = runProgram(['pcap', ...ASK, '-w', path])
  expect(ran).toMatchObject({ code: 0, out: '' })
  expect(ran.err).toMatch(/^\d+ packets, \d+ interfaces\. Open with: wireshark .*-d udp\.port==8472,vxlan/)
  expect([...readFileSync(path).subarray(0, 4)]).toEqual([0x0a, 0x0d, 0x0d, 0x0a])
})

describe.each([
  ['YAML', 'kind: '],
  ['JSON', '{"kind":"'],
  ['neither', ''],
])('a line of 100 MB: %s', (_, head) => {
  test('is refused at its place, and takes 2 s at most', () => {
    const path = join(folder, 'long.yaml')
    writeFileSync(path, `${head}${'x'.repeat(100_000_000)}`)
    const ran = timedProgram(['trace', '-f', path, ...ASK])
    rmSync(path)
    expect(ran).toMatchObject({ code: 2, out: '' })
    expect(ran.err).toMatch(new RegExp(`^(error|warning): ${path.replaceAll('.', '\\.')}:1`))
    expect(ran.err.length).toBeLessThan(2000)
    expect(ran.cpuMs).toBeLessThan(2000)
  })
})
