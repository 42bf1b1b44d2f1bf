import type { Reply } from './coredns.ts'

/** A recorded reply, with what may vary. */
export interface RecordedReply extends Reply {
  readonly unordered?: boolean
  readonly ttlSlack?: number
  readonly answerCount?: readonly [number, number]
  readonly additionalCount?: readonly [number, number]
}

/** Names what differs between a recorded reply and ours; empty: nothing. */
export function differences(want: RecordedReply | null, got: Reply | null): readonly string[] {
  if (!want || !got) return want === got ? [] : ['reply']
  const rules = { slack: want.ttlSlack ?? 0, unordered: want.unordered ?? false }
  const checks: Readonly<Record<string, boolean>> = {
    rcode: want.rcode === got.rcode,
    flags: words(want.flags) === words(got.flags),
    question: (want.question ?? '') === (got.question ?? ''),
    answer: sameSection(want.answer, got.answer, { ...rules, count: want.answerCount }),
    authority: sameSection(want.authority, got.authority, { ...rules, count: undefined }),
    additional: sameSection(want.additional, got.additional, { ...rules, count: want.additionalCount }),
    edns: ednsText(want.edns) === ednsText(got.edns),
    size: want.size === undefined || want.size === got.size,
  }
  return Object.keys(checks).filter((name) => !checks[name])
}

const ednsText = (edns: Reply['edns']): string =>
  edns ? JSON.stringify({ ...edns, options: words((edns.options ?? []).join(' ')) }) : ''

const words = (text: string): string => text.split(' ').filter(Boolean).sort().join(' ')

interface Rules {
  readonly slack: number
  readonly unordered: boolean
  readonly count: readonly [number, number] | undefined
}

function sameSection(
  want: readonly string[] = [],
  got: readonly string[] = [],
  { slack, unordered, count }: Rules,
): boolean {
  const pool = [...want]
  if (count) return got.length >= count[0] && got.length <= count[1] && got.every((line) => take(pool, line, slack))
  if (want.length !== got.length) return false
  if (!unordered) return want.every((line, i) => sameRecord(line, got[i] ?? '', slack))
  const chain = got.filter(isAlias)
  if (!want.filter(isAlias).every((line, i) => sameRecord(line, chain[i] ?? '', slack))) return false
  return got.every((line) => take(pool, line, slack))
}

const isAlias = (line: string): boolean => line.split(' ')[3] === 'CNAME'

function take(pool: string[], line: string, slack: number): boolean {
  const i = pool.findIndex((want) => sameRecord(want, line, slack))
  if (i >= 0) pool.splice(i, 1)
  return i >= 0
}

/** `*` in the recorded data stands for anything. */
function sameRecord(want: string, got: string, slack: number): boolean {
  const [w, g] = [want.split(' '), got.split(' ')]
  return (
    w.length === g.length &&
    w.every((word, i) =>
      i === 1 ? Math.abs(Number(word) - Number(g[i])) <= slack : (i > 3 && word === '*') || word === g[i],
    )
  )
}
