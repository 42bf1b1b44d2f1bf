import { describe, expect, test } from 'vitest'
import { renderConversation } from '../../render/conversation-text.ts'
import type { TextOptions } from '../../render/text-options.ts'
import { LAB_NAMES, labWalks } from '../labs.ts'
import { podwalk } from './run-podwalk.ts'

/** What people read: it fits a terminal of 80 columns whatever was asked, and is plain text in a pipe. */

const DETAILS = ['normal', 'headers', 'rules'] as const satisfies readonly TextOptions['detail'][]

const linesOf = (text: string): readonly string[] => text.split('\n')
const tooWide = (text: string): readonly string[] => linesOf(text).filter((line) => [...line].length > 80)

describe.each(LAB_NAMES)('%s', (name) => {
  const walks = [...labWalks(name)]

  test('there are questions of every kind of end', () => {
    expect(new Set(walks.map(({ answer }) => answer.disposition.kind)).size).toBeGreaterThanOrEqual(3)
  })

  test.each(DETAILS)('every answer fits 80 columns: %s', (detail) => {
    for (const { probe, answer } of walks) {
      const text = renderConversation(answer, { detail })
      expect(tooWide(text), probe.name).toEqual([])
      expect(
        linesOf(text).filter((line) => /\s$/.test(line)),
        `blanks at line ends: ${probe.name}`,
      ).toEqual([])
      expect(text).not.toMatch(/undefined|NaN|\[object|Infinity/)
      expect(text.endsWith('\n') && !text.endsWith('\n\n'), probe.name).toBe(true)
    }
  })

  test('with ascii there is nothing beyond ASCII', () => {
    for (const { answer } of walks)
      for (const detail of DETAILS)
        expect(renderConversation(answer, { detail, ascii: true })).toMatch(/^[\n\x20-\x7e]*$/)
  })

  test('nothing is cut in the wide form', () => {
    for (const { answer } of walks)
      expect(renderConversation(answer, { width: Number.POSITIVE_INFINITY })).not.toContain('…')
  })

  test('more detail never tells less', () => {
    for (const { probe, answer } of walks) {
      const [normal = 0, headers = 0, rules = 0] = DETAILS.map(
        (detail) => linesOf(renderConversation(answer, { detail })).length,
      )
      expect([normal <= headers, headers <= rules], probe.name).toEqual([true, true])
    }
  })
})

const ESCAPE = '\u001b'
const ASK = ['trace', '--from', 'pod/client', '--to', 'http://my-nginx'] as const

test('there are no colours in a pipe, unless they are asked for', () => {
  expect(podwalk(...ASK).out).not.toContain(ESCAPE)
  expect(podwalk(...ASK, '--color').out).toContain(`${ESCAPE}[32m`)
  expect(podwalk(...ASK, '--no-color').out).not.toContain(ESCAPE)
})

test('colours change no word', () => {
  const escapes = new RegExp(`${ESCAPE}\\[\\d+m`, 'g')
  expect(podwalk(...ASK, '--color').out.replaceAll(escapes, '')).toBe(podwalk(...ASK).out)
})

test('the verdict has a sign and a word beside its colour', () => {
  expect(podwalk(...ASK).out).toMatch(/^✓ DELIVERED /)
  expect(podwalk('trace', '--from', 'pod/client', '--to', 'svc/empty:80').out).toMatch(/^✗ REJECTED /)
  expect(podwalk('trace', '--from', 'pod/client', '--to', '8.8.8.8:80', '--ascii').out).toMatch(/^\? LEFT CLUSTER /)
  expect(podwalk('trace', '--from', 'pod/client', '--to', 'svc/empty:80', '--ascii').out).toMatch(/^x REJECTED /)
})

test('results and what is said of the input do not mix: a pipe gets the answer alone', () => {
  const quiet = podwalk(...ASK, '--quiet')
  expect(quiet.out).toBe(podwalk(...ASK).out)
  expect(quiet.err).toBe('')
})

test('every way, with its probability: two backends, half each', () => {
  const { out, code } = podwalk('trace', '--from', 'pod/client', '--to', 'svc/my-nginx:80', '--explore', 'all')
  expect(code).toBe(0)
  expect(out).toMatch(/^2 ways this can go:\n/)
  expect(out.match(/^ {2}50 % {2}delivered {2}my-nginx-\S+ on \S+ sees 10\.244\.1\.2:\d+$/gm)).toHaveLength(2)
  expect(out).toContain('The likeliest one:')
  expect(tooWide(out)).toEqual([])
})

test('the seed changes ports, and nothing else does', () => {
  const portOf = (seed: string) => /^ {3}send {6}10\.244\.1\.2:(\d+)/m.exec(podwalk(...ASK, '--seed', seed).out)?.[1]
  expect(portOf('7')).toBe(portOf('7'))
  expect(new Set(['1', '2', '3', '4'].map(portOf)).size).toBe(4)
})
