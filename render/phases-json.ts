import type { Phase } from '../engine/ask-across.ts'
import type { MachineChange } from '../engine/world-change.ts'
import { conversationDocument, TRACE_API_VERSION } from './conversation-json.ts'
import type { Detail } from './hop-lines.ts'
import { nftLines } from './nft-command.ts'
import { ruleChanges } from './rule-changes.ts'

/** Questions before and after changes as one document; each answer is a Trace as `renderConversationJson` has it. */
export const renderPhasesJson = (
  phases: readonly Phase[],
  words: readonly string[],
  detail: Detail = 'normal',
): string => `${JSON.stringify(phasesDocument(phases, words, detail), undefined, 2)}\n`

function phasesDocument(phases: readonly Phase[], words: readonly string[], detail: Detail): unknown {
  return {
    apiVersion: TRACE_API_VERSION,
    kind: 'Changes',
    phases: phases.map(({ change, walks }, i) => ({
      ...(change === undefined
        ? {}
        : {
            change: {
              words: words[i - 1] ?? '',
              at: change.at,
              differences: change.differences,
              machines: change.machines.map(machineDocument),
            },
          }),
      walks: walks.map((walk) => conversationDocument(walk, detail)),
    })),
  }
}

function machineDocument(machine: MachineChange): unknown {
  const { name, proxy, fed, deleted, strays } = machine
  return {
    name,
    ...(proxy === undefined ? {} : { proxy }),
    rules: ruleChanges(machine),
    fed: fed.map((input) => ({
      tool: input.tool,
      text:
        input.tool === 'nft'
          ? input.ops
              .flatMap(nftLines)
              .map((line) => `${line}\n`)
              .join('')
          : input.text,
    })),
    deleted: deleted.map(({ command, text }) => ({ command, entry: text })),
    kept: strays.map(({ text, service, leadsTo, why }) => ({ entry: text, service, leadsTo, why })),
  }
}
