import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, openSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { bytesAt } from '../cluster/input/byte-source.ts'
import { fileSource, streamSource } from './file-source.ts'
import { progressLine } from './progress.ts'
import { readInput } from './read-input.ts'

const folder = mkdtempSync(join(tmpdir(), 'podwalk-input-'))
afterAll(() => rmSync(folder, { recursive: true }))
const at = (name: string) => join(folder, name)
const put = (name: string, text: string) => {
  writeFileSync(at(name), text)
  return at(name)
}
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

describe('files are read where they are asked for', () => {
  it.each([
    [0, 3, 'abc'],
    [2, 2, 'cd'],
    [4, 100, 'ef'],
    [6, 5, ''],
  ])('%i, %i bytes', (offset, length, expected) => {
    const path = put('plain', 'abcdef')
    expect(text(bytesAt(fileSource(path), offset, length))).toBe(expected)
    expect(text(bytesAt(streamSource(openSync(path, 'r')), offset, length))).toBe(expected)
  })

  it('a file that is gone has a fault, and no exception', () => {
    const source = fileSource(at('nowhere'))
    expect(bytesAt(source, 0, 5).length).toBe(0)
    expect(source.fault()).toContain('ENOENT')
  })

  it('a stream longer than a piece of it', () => {
    const long = 'x'.repeat((1 << 24) + 5)
    const source = streamSource(openSync(put('long', `${long}end`), 'r'))
    expect(text(bytesAt(source, long.length - 2, 10))).toBe('xxend')
  })
})

describe('what -f names', () => {
  it('a directory: every file of any depth, links to directories above not followed for ever', () => {
    mkdirSync(at('snap/deep/er'), { recursive: true })
    for (const name of ['snap/b.json', 'snap/a.yaml', 'snap/deep/er/c', 'snap/deep/logs.txt']) put(name, '{}')
    symlinkSync(at('snap'), at('snap/deep/loop'))
    symlinkSync(at('snap/a.yaml'), at('snap/link.yaml'))
    symlinkSync(at('nowhere'), at('snap/broken'))
    const { files, diagnostics } = readInput([at('snap')])
    expect(files.map(({ name }) => name.slice(folder.length))).toEqual([
      '/snap/a.yaml',
      '/snap/b.json',
      '/snap/deep/er/c',
      '/snap/deep/logs.txt',
      '/snap/link.yaml',
    ])
    expect(files.every((file) => 'below' in file && file.below === at('snap'))).toBe(true)
    expect(diagnostics.map(({ code }) => code)).toEqual(['file-unreadable'])
  })

  it('an empty directory and a name that is nothing are told', () => {
    mkdirSync(at('empty'))
    expect(readInput([at('empty'), at('nowhere')]).diagnostics.map(({ code }) => code)).toEqual([
      'directory-empty',
      'file-unreadable',
    ])
  })

  it('a pipe', () => {
    execFileSync('mkfifo', [at('pipe')])
    spawn('sh', ['-c', `printf '{"a":1}' > "$0"`, at('pipe')], { stdio: 'ignore' })
    const [file] = readInput([at('pipe')]).files
    expect(file !== undefined && 'source' in file && text(bytesAt(file.source, 1, 3))).toBe('"a"')
  })
})

describe('the progress line', () => {
  const run = (watched: boolean, times: readonly number[]) => {
    let text = ''
    const clock = [0, ...times]
    const line = progressLine({
      now: () => clock.shift() ?? 0,
      write: (more) => {
        text += more
      },
      watched,
    })
    for (const [i] of times.entries()) line.tell({ file: 'f', bytes: (i + 1) * 16e6, objects: i * 1000 })
    line.done()
    return text
  }
  it('comes after a second, ten times a second, and goes', () =>
    expect(run(true, [500, 999, 1000, 1050, 1100])).toBe(
      '\r\x1b[Kreading f: 48 MB, 2,000 objects\r\x1b[Kreading f: 80 MB, 4,000 objects\r\x1b[K',
    ))
  it('is not there where reading is quick', () => expect(run(true, [10, 900])).toBe(''))
  it('is not there where nobody watches', () => expect(run(false, [5000])).toBe(''))
})
