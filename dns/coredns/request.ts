import type { Message } from '../message.ts'
import { fqdn, lowerName } from '../name.ts'
import type { Request, Serving } from './plugin.ts'

/** A query as it comes from outside. */
export function newRequest(
  message: Message,
  { client, local, transport, server }: Pick<Request, 'client' | 'local' | 'transport' | 'server'>,
): Request {
  const question = message.questions[0] ?? NO_QUESTION
  return {
    message,
    question,
    name: lowerName(question.name),
    client,
    local,
    transport,
    server,
    metadata: undefined,
    depth: 0,
    shared: { message },
  }
}

const NO_QUESTION = { name: '.', type: 'A', class: 'IN' }

/** The query after a plugin changed it in place: the server and all plugins before this one see that too. */
export function changed(request: Request, message: Message): Request {
  request.shared.message = message
  const question = message.questions[0] ?? request.question
  return { ...request, message, question, name: lowerName(question.name) }
}

/** A copy with another question, changed by nobody else (request.NewWithQuestion). */
export function withQuestion(request: Request, name: string, type: string = request.question.type): Request {
  const question = { name: fqdn(name), type, class: 'IN' }
  const message = { ...request.message, questions: [question] }
  return { ...request, question, name: lowerName(question.name), message, shared: { message } }
}

/** Asks the server itself, from the top of the chain (pkg/upstream Lookup); undefined where it writes nothing. */
export function* lookUp(
  request: Request,
  name: string,
  { type, depth = request.depth }: { readonly type?: string; readonly depth?: number } = {},
): Serving<Message | undefined> {
  return yield* request.server.serve({ ...withQuestion(request, name, type), depth })
}
