import { type Parsed, parsed } from '../../../packet/parsed.ts'
import type { CorefileError } from '../corefile/dispenser.ts'
import { durationSeconds } from '../duration.ts'
import { type Controller, type Plugin, pluginError, type Serving } from '../plugin.ts'
import { compileRegexp, type Regexp } from '../regexp/regexp.ts'

/** Errors that are told together. */
interface Pattern {
  readonly expression: Regexp
  /** As written, and in seconds. */
  readonly period: string
  readonly seconds: number
  readonly level: Level
  /** The first is told at once. */
  readonly showFirst: boolean
  count: number
}

const LEVELS = { warning: 'WARNING', error: 'ERROR', info: 'INFO', debug: 'DEBUG' } as const
type Level = (typeof LEVELS)[keyof typeof LEVELS]

const MAX_REGEXP = 10_000

/** errors { stacktrace; consolidate DURATION REGEXP [LEVEL] [show_first] }: logs what plugins behind it report (plugin/errors). */
export const errors: Plugin = {
  name: 'errors',
  setup(controller) {
    const patterns = parsePatterns(controller)
    if (!patterns.ok) return patterns
    const { line } = controller
    return parsed([
      {
        plugin: 'errors',
        line,
        *serve(request, next) {
          const outcome = yield* next(request)
          if (outcome.kind === 'silence' || outcome.error === undefined) return outcome
          const { error } = outcome
          const { question, server, shared } = request
          const tell = (level: Level, text: string) =>
            server.note({
              kind: 'dns.plugin',
              plugin: 'errors',
              line,
              question,
              action: 'failed',
              detail: `[${level}] plugin/errors: ${text}`,
            })
          const pattern = patterns.value.find(({ expression }) => expression.matches(error))
          if (pattern && ++pattern.count === 1) yield { kind: 'background', work: summary(pattern, tell) }
          if (pattern && !(pattern.showFirst && pattern.count === 1)) return outcome
          // A reply that was written counts as a success.
          const rcode = outcome.kind === 'code' ? outcome.rcode : 0
          // The query as the plugins behind have left it.
          const asked = shared.message.questions[0] ?? question
          tell(pattern?.level ?? 'ERROR', `${rcode} ${asked.name.toLowerCase()} ${asked.type}: ${error}`)
          return outcome
        },
      },
    ])
  },
}

/** What came in one period, told at its end. */
function* summary(pattern: Pattern, tell: (level: Level, text: string) => void): Serving<void> {
  yield { kind: 'sleep', duration: pattern.seconds * 1e9 }
  const { count, expression, period, showFirst } = pattern
  pattern.count = 0
  if (count > 1 || !showFirst)
    tell(pattern.level, `${count} errors like '${expression.source}' occurred in last ${period}`)
}

function parsePatterns({ words }: Controller): Parsed<readonly Pattern[]> {
  const patterns: Pattern[] = []
  let count = 0
  while (words.next()) {
    if (count++ > 0) return pluginError('errors', 'this plugin can only be used once per Server Block')
    const args = words.remaining()
    if (args.length > 1) return pluginError('errors', words.argumentError())
    if (args.length === 1 && args[0] !== 'stdout')
      return pluginError('errors', words.error(`invalid log file: ${args[0]}`))
    while (words.nextInBlock()) {
      const property = words.word()
      if (property === 'stacktrace') continue
      if (property !== 'consolidate') return pluginError('errors', words.syntaxError(`Unknown field ${property}`))
      const pattern = parsePattern(words)
      if ('message' in pattern) return pluginError('errors', pattern)
      patterns.push(pattern)
    }
  }
  return parsed(patterns)
}

function parsePattern(words: Controller['words']): Pattern | CorefileError {
  const args = words.remaining()
  const [period = '', source = '', ...more] = args
  if (args.length < 2 || args.length > 4) return words.argumentError()
  const seconds = durationSeconds(period)
  if (seconds === undefined) return words.error(`time: invalid duration ${JSON.stringify(period)}`)
  if (source.length > MAX_REGEXP) return words.error(`regex pattern too long: ${source.length} > ${MAX_REGEXP}`)
  const expression = compileRegexp(source)
  if (!expression.ok) return words.error(expression.reason)
  let level: Level | undefined
  let showFirst = false
  for (const word of more)
    if (Object.hasOwn(LEVELS, word)) {
      if (level !== undefined) return words.error('multiple log levels specified in consolidate')
      if (showFirst) return words.error('log level must come before show_first in consolidate')
      level = LEVELS[word as keyof typeof LEVELS]
    } else if (word === 'show_first') showFirst = true
    else return words.error(`unknown option in consolidate: ${word}`)
  return {
    expression: expression.value,
    period: goDuration(seconds),
    seconds,
    level: level ?? 'ERROR',
    showFirst,
    count: 0,
  }
}

/** time.Duration.String of whole seconds and above: `5m0s`. */
function goDuration(total: number): string {
  const hours = Math.floor(total / 3600)
  const minutes = Math.floor((total % 3600) / 60)
  const seconds = `${Number((total % 60).toFixed(9))}s`
  if (hours > 0) return `${hours}h${minutes}m${seconds}`
  return minutes > 0 ? `${minutes}m${seconds}` : seconds
}
