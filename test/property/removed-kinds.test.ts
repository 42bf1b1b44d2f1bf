import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { load } from '../../cluster/load.ts'
import { ask } from '../../engine/ask.ts'
import { build } from '../../engine/build.ts'
import type { Conversation } from '../../engine/conversation.ts'
import { readQuestion } from '../../engine/question.ts'

/**
 * A snapshot that lacks a whole kind of objects must not get a better answer than the whole one: the same way to the
 * same server, or something less, or an assumption that says what was filled in.
 */

const CASES = process.env.PODWALK_CASES ?? join(import.meta.dirname, '..', '..', '..', 'shared', 'cases')
const FOLDER = join(CASES, 'snapshots', 'textbook', 'objects')
const files = present(FOLDER)
if (files.length === 0 && process.env.CI) throw new Error(`the recorded snapshots are missing: ${FOLDER}`)

function present(folder: string): readonly string[] {
  try {
    return readdirSync(folder).sort()
  } catch {
    console.log(`skipped: no recorded snapshots at ${folder}`)
    return []
  }
}

const QUESTIONS = [
  { from: 'pod/busybox2', to: 'svc/my-nginx:80' },
  { from: 'pod/busybox2', to: 'http://my-nginx' },
  { from: 'pod/busybox2', to: 'http://web-0.nginx' },
] as const

function answer(names: readonly string[], question: (typeof QUESTIONS)[number]): Conversation | undefined {
  const { cluster } = load(names.map((name) => ({ name, bytes: new Uint8Array(readFileSync(join(FOLDER, name))) })))
  const built = build(cluster)
  const probe = readQuestion(built, question)
  return probe.ok ? ask(built, probe.value) : undefined
}

const server = (conversation: Conversation | undefined): string | undefined =>
  conversation?.disposition.kind === 'delivered' && conversation.outcome.kind !== 'notResolved'
    ? conversation.server?.netns
    : undefined

describe.skipIf(files.length === 0).each(QUESTIONS)('$from to $to', (question) => {
  const whole = answer(files, question)
  const assumed = new Set(whole?.assumptions.map((assumption) => assumption.text))

  test('is delivered with everything there', () => expect(server(whole)).toBeDefined())

  test.each(files)('without %s', (removed) => {
    const less = answer(
      files.filter((name) => name !== removed),
      question,
    )
    const reached = server(less)
    if (reached === undefined || reached === server(whole)) return
    const filledIn = less?.assumptions.filter((assumption) => !assumed.has(assumption.text)) ?? []
    expect(filledIn.length, `delivered to ${reached} instead, without a word`).toBeGreaterThan(0)
  })
})
