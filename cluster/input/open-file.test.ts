import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { load } from '../load.ts'
import { joined, paxRecord, tarEntry, tarOf, zipOf } from '../testing/archives.ts'
import { memorySource } from './byte-source.ts'
import type { InputFile } from './item.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const utf16 = (text: string, mark: readonly number[], high: number) =>
  Uint8Array.from([...mark, ...[...text].flatMap((c) => (high === 1 ? [c.charCodeAt(0), 0] : [0, c.charCodeAt(0)]))])

const manifest = (name = 'a') => `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}, uid: u}\n`

/** What comes out of a file: pods with the place of their text, and what is said of the file. */
function opened(file: InputFile | Uint8Array) {
  const { cluster, diagnostics, input } = load([file instanceof Uint8Array ? { name: 'f', bytes: file } : file])
  return {
    pods: cluster.pods.map(({ meta, at }) => `${meta.name} ${at?.file}:${at?.line}`),
    codes: diagnostics.flatMap(({ code, at, severity }) =>
      severity === 'error' ? [`${code} ${at?.file}:${at?.line}`] : [],
    ),
    skipped: input.skipped.map(({ at, code, count }) => `${code} ${at.file}:${at.line} x${count}`),
    packing: input.files.map(({ packing }) => packing.join(' ')),
  }
}

const LONG = `${'long-'.repeat(30)}name/pods.yaml`

describe('every packing of one manifest', () => {
  const inTar = tarOf([{ name: 'pods.yaml', content: manifest() }])
  it.each([
    ['plain', bytes(manifest()), 'f', ''],
    ['with a byte order mark', bytes(`\ufeff${manifest()}`), 'f', ''],
    ['gzip', gzipSync(manifest()), 'f', 'gzip'],
    [
      'gzip of two members',
      Buffer.concat([gzipSync('apiVersion: v1\nkind: Pod\n'), gzipSync('metadata: {name: a, uid: u}\n')]),
      'f',
      'gzip',
    ],
    ['gzip in gzip', gzipSync(gzipSync(manifest())), 'f', 'gzip gzip'],
    ['gzip of JSON', gzipSync('{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"}}'), 'f', 'gzip'],
    ['UTF-16 of PowerShell', utf16(manifest(), [0xff, 0xfe], 1), 'f', ''],
    ['UTF-16 big-endian', utf16(manifest(), [0xfe, 0xff], 0), 'f', ''],
    ['UTF-16 in gzip', gzipSync(utf16(manifest(), [0xff, 0xfe], 1)), 'f', 'gzip'],
    ['tar', inTar, 'f!pods.yaml', 'tar'],
    ['tar without its end', inTar.subarray(0, 1024), 'f!pods.yaml', 'tar'],
    ['tar older than ustar', tarOf([{ name: 'pods.yaml', content: manifest(), format: 'v7' }]), 'f!pods.yaml', 'tar'],
    ['tar of GNU', tarOf([{ name: 'pods.yaml', content: manifest(), format: 'gnu' }]), 'f!pods.yaml', 'tar'],
    [
      'tar with a size in base 256',
      tarOf([{ name: 'pods.yaml', content: manifest(), binarySize: true }]),
      'f!pods.yaml',
      'tar',
    ],
    [
      'ustar with a prefix',
      tarOf([{ name: 'pods.yaml', prefix: 'a/b', content: manifest() }]),
      'f!a/b/pods.yaml',
      'tar',
    ],
    [
      'a long name of GNU',
      tarOf([
        { name: '././@LongLink', type: 'L', content: `${LONG}\0`, format: 'gnu' },
        { name: LONG, content: manifest() },
      ]),
      `f!${LONG}`,
      'tar',
    ],
    [
      'a long name of pax',
      tarOf([
        { name: 'PaxHeaders/x', type: 'x', content: paxRecord('mtime', '1.5') + paxRecord('path', LONG) },
        { name: 'cut', content: manifest() },
      ]),
      `f!${LONG}`,
      'tar',
    ],
    [
      'a size of pax',
      joined([
        tarEntry({ name: 'PaxHeaders/x', type: 'x', content: paxRecord('size', String(manifest().length)) }),
        tarEntry({ name: 'pods.yaml', content: manifest() }),
      ]),
      'f!pods.yaml',
      'tar',
    ],
    [
      'a pax header of the whole archive',
      tarOf([
        { name: 'g', type: 'g', content: paxRecord('comment', 'x') },
        { name: 'pods.yaml', content: manifest() },
      ]),
      'f!pods.yaml',
      'tar',
    ],
    ['tar.gz', gzipSync(inTar), 'f!pods.yaml', 'gzip tar'],
    ['gzip in tar', tarOf([{ name: 'pods.yaml.gz', content: gzipSync(manifest()) }]), 'f!pods.yaml.gz', 'tar gzip'],
    ['zip, deflated', zipOf([{ name: 'pods.yaml', content: manifest() }]), 'f!pods.yaml', 'zip'],
    ['zip, stored', zipOf([{ name: 'pods.yaml', content: manifest(), method: 0 }]), 'f!pods.yaml', 'zip'],
    [
      'zip with a comment',
      zipOf([{ name: 'pods.yaml', content: manifest() }], { comment: 'PK made by hand' }),
      'f!pods.yaml',
      'zip',
    ],
    [
      'zip64',
      zipOf([{ name: 'pods.yaml', content: manifest(), zip64: true }], { zip64End: true }),
      'f!pods.yaml',
      'zip',
    ],
    [
      'tar.gz in zip',
      zipOf([
        { name: 'd/', content: '' },
        { name: 'd/snap.tgz', content: gzipSync(inTar) },
      ]),
      'f!d/snap.tgz!pods.yaml',
      'zip gzip tar',
    ],
  ])('%s', (_, content, name, packing) => {
    const line = 1
    expect(opened(content)).toEqual({ pods: [`a ${name}:${line}`], codes: [], skipped: [], packing: [packing] })
  })
})

describe('names of members are only names', () => {
  it.each([['../../etc/pods.yaml'], ['/etc/pods.yaml'], ['a/../../pods.yaml'], ['C:\\pods.yaml']])('%s', (name) => {
    expect(opened(tarOf([{ name, content: manifest() }])).pods).toEqual([`a f!${name}:1`])
    expect(opened(zipOf([{ name, content: manifest() }])).pods).toEqual([`a f!${name}:1`])
  })
})

describe('what cannot be read is told, and the rest is used', () => {
  const two = [
    { name: 'a.yaml', content: manifest('a') },
    { name: 'b.yaml', content: manifest('b') },
  ]
  const large = { name: 'b.yaml', content: `# ${'b'.repeat(2000)}\n${manifest('b')}` }
  const tar = tarOf(two)
  const badHeader = tar.slice()
  badHeader[1024] = 1
  const badCrc = new Uint8Array(gzipSync(manifest()))
  badCrc[badCrc.length - 8]! ^= 1
  const zip = zipOf(two)
  const badZip = zip.slice()
  badZip[zip.indexOf(0x50, 60) + 2] = 9
  it.each([
    ['an empty file', bytes(''), [], []],
    ['a binary file', Uint8Array.of(1, 2, 0, 3), [], ['file-binary f:1']],
    ['a gzip file that is cut off', gzipSync(manifest() + '#'.repeat(10)).subarray(0, 40), [], ['gzip-damaged f:1']],
    [
      'a gzip file cut off in its header',
      Uint8Array.of(0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 3, 65),
      [],
      ['gzip-damaged f:1'],
    ],
    ['a gzip file without its checksum', gzipSync(manifest()).subarray(0, -8), ['a'], ['gzip-damaged f:1']],
    ['a gzip file with a wrong checksum', badCrc, ['a'], ['gzip-damaged f:1']],
    [
      'a tar cut off in a file',
      tarOf([two[0]!, large]).subarray(0, 1024 + 512 + 600),
      ['a'],
      ['member-damaged f!b.yaml:1'],
    ],
    ['a tar cut off in a header', tar.subarray(0, 1024 + 100), ['a'], ['tar-damaged f:1']],
    ['a tar with a broken header', badHeader, ['a'], ['tar-damaged f:1']],
    ['a zip without its end', zip.subarray(0, -30), [], ['zip-damaged f:1']],
    ['an encrypted member', zipOf([two[0]!, { ...two[1]!, flags: 1 }]), ['a'], []],
    ['a method nobody has', zipOf([two[0]!, { ...two[1]!, method: 99 }]), ['a'], []],
  ])('%s', (_, content, pods, codes) => {
    const found = opened(content)
    expect(found.pods.map((pod) => pod.split(' ')[0])).toEqual(pods)
    expect(found.codes.filter((code) => !/^(no-objects|yaml-syntax)/.test(code))).toEqual(codes)
  })

  it('a member that is not read is in the inventory with its reason', () => {
    const { input } = load([
      { name: 'f', bytes: zipOf([two[0]!, { ...two[1]!, flags: 1 }, { name: 'c', content: '', method: 12 }]) },
    ])
    expect(input.skipped.map(({ at, reason }) => `${at.file} ${reason}`)).toEqual([
      'f!b.yaml it is encrypted',
      'f!c it is packed by method 12; only stored and deflated are read',
    ])
  })

  it('links are not followed', () =>
    expect(opened(tarOf([{ name: 'l', type: '2', content: '' }, two[0]!])).skipped).toEqual([
      'member-unreadable f!l:1 x1',
    ]))

  it('an archive in an archive in an archive ends somewhere', () => {
    let packed = new Uint8Array(gzipSync(manifest()))
    for (let i = 0; i < 20; i++) packed = new Uint8Array(gzipSync(packed))
    expect(opened(packed).codes[0]).toBe('archive-damaged f:1')
  })

  it('a gzip bomb is left', () => {
    const bomb = gzipSync(Buffer.alloc(200e6, ' '))
    expect(opened(Buffer.concat([gzipSync(`${manifest()}---\n`), bomb]))).toMatchObject({
      pods: ['a f:1'],
      codes: ['gzip-damaged f:1'],
    })
  })
})

describe('files of a directory', () => {
  const below = (name: string, text: string | Uint8Array): InputFile => ({
    name: `snap/${name}`,
    source: memorySource(typeof text === 'string' ? bytes(text) : text),
    below: 'snap',
  })
  it.each([
    ['pods.yaml', manifest(), ['a snap/pods.yaml:1'], []],
    ['pods', manifest(), ['a snap/pods:1'], []],
    ['pods.txt', '{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a"}}', ['a snap/pods.txt:1'], []],
    ['README.md', '# A snapshot\n\nof today: all pods\n', [], ['no-object-file snap/README.md:1 x1']],
    ['x/web-0/logs.txt', manifest(), [], ['log snap/x/web-0/logs.txt:1 x1']],
    ['pods/web-0/web/logs/current.log', manifest(), [], ['log snap/pods/web-0/web/logs/current.log:1 x1']],
    ['.git/config.yaml', manifest(), [], ['hidden snap/.git/config.yaml:1 x1']],
    ['core.bin', Uint8Array.of(0, 1), [], ['file-binary snap/core.bin:1 x1']],
    ['networkpolicies.json', '', [], ['file-empty snap/networkpolicies.json:1 x1']],
    ['values.yaml', 'replicas: 3\n', [], ['kind-missing snap/values.yaml:1 x1']],
  ])('%s', (name, text, pods, skipped) => {
    const found = opened(below(name, text))
    expect(found.pods).toEqual(pods)
    expect(found.skipped).toEqual(skipped)
    expect(found.codes.filter((code) => !code.startsWith('no-objects'))).toEqual([])
  })
})
