import { askName } from '../engine/name-answer.ts'
import { readNameQuestion } from '../engine/name-question.ts'
import { renderConversationJson } from '../render/conversation-json.ts'
import { renderNameAnswer } from '../render/name-answer-text.ts'
import { exitCodeOf } from './exit-code.ts'
import { openBuilt, type SnapshotOptions } from './snapshot.ts'
import { print, Stop } from './terminal.ts'
import { type TextChoice, textOptions } from './trace.ts'

export interface DnsOptions extends SnapshotOptions, Omit<TextChoice, 'output'> {
  readonly from: string
  readonly namespace: string
  readonly resolver: string
  readonly seed: number
  readonly explain?: boolean
  readonly output: 'text' | 'wide' | 'json'
}

/** `podwalk dns NAME [TYPE]`: what a resolver asks for a name, who answers, and what would spare queries. */
export function dns(name: string, type: string | undefined, options: DnsOptions): number {
  const built = openBuilt(options)
  const probe = readNameQuestion(built, {
    from: options.from,
    name,
    namespace: options.namespace,
    resolver: options.resolver,
    ...(type === undefined ? {} : { type }),
  })
  if (!probe.ok) throw new Stop(probe.reason, { todo: 'for example: podwalk dns --from pod/client cn.bing.com' })
  const answer = askName(built, probe.value, { seed: options.seed })
  if (options.output === 'json') print(renderConversationJson(answer.conversation, 'normal'))
  else
    print(
      renderNameAnswer(
        answer,
        textOptions({ ...options, output: options.output === 'wide' ? 'wide' : 'text' }),
        options.explain,
      ),
    )
  return exitCodeOf(answer.conversation)
}
