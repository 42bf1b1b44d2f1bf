import type { MachineChange, WorldChange } from '../engine/world-change.ts'
import { cutMiddle, labelled } from './columns.ts'
import { nftLines } from './nft-command.ts'
import { ruleChanges } from './rule-changes.ts'
import type { TextOptions } from './text-options.ts'

const LABEL = 13

/** Lines of rules that are shown of a node without being asked for more. */
const FEW = 6

/** What changed between two questions: the objects, and on each node that packets had reached what was done for them. */
export function changeLines(words: string, change: WorldChange, how: TextOptions): readonly string[] {
  const lines = ['', `${how.paint.heading('CHANGE')}  ${cutMiddle(words, how.width - 8)}`]
  for (const { verb, object, detail } of change.differences)
    lines.push(...labelled(`   ${verb}`, `${object}  ${detail}`.trimEnd(), { indent: LABEL + 2, width: how.width }))
  if (change.differences.length === 0) lines.push('   nothing is other than before')
  for (const group of alike(change.machines, how)) lines.push(...ruleLines(group, how))
  for (const machine of change.machines) lines.push(...flowLines(machine, how))
  return lines
}

/** Nodes on which the same rules changed are told once. */
interface Alike {
  readonly names: readonly string[]
  readonly rules: readonly string[]
  readonly machine: MachineChange
}

/** Chains that are made and emptied before their rules come. */
const SCAFFOLD = /^nft (add|flush) chain /

function alike(machines: readonly MachineChange[], how: TextOptions): readonly Alike[] {
  const groups = new Map<string, Alike>()
  for (const machine of machines) {
    const rules = ruleChanges(machine).filter((line) => how.detail !== 'normal' || !SCAFFOLD.test(line))
    if (rules.length === 0) continue
    const key = rules.join('\n')
    const group = groups.get(key)
    groups.set(key, { names: [...(group?.names ?? []), machine.name], rules, machine: group?.machine ?? machine })
  }
  return [...groups.values()]
}

const said = (label: string, text: string, { width }: TextOptions): readonly string[] =>
  labelled(`   ${label}`, text, { indent: LABEL, width })

function place(names: readonly string[], { proxy }: MachineChange, how: TextOptions): string {
  const who = proxy === undefined ? '' : `kube-proxy ${proxy.version}, ${proxy.mode}`
  const where = cutMiddle(names.join(', '), Math.max(how.width - who.length - 2, 10))
  return `${how.paint.heading(where)}  ${how.paint.faint(who)}`.trimEnd()
}

function ruleLines({ names, rules, machine }: Alike, how: TextOptions): readonly string[] {
  const shown = how.detail === 'normal' ? rules.slice(0, FEW) : rules
  return [
    place(names, machine, how),
    ...shown.flatMap((rule, i) => said(i === 0 ? 'rules' : '', rule, how)),
    ...(rules.length > shown.length ? said('', `and ${rules.length - shown.length} more (-v lists all)`, how) : []),
    ...(how.detail === 'rules' ? fedLines(machine, how) : []),
  ]
}

/** What kube-proxy does with flows that are tracked on the node, and which go on although new ones would go elsewhere. */
function flowLines(machine: MachineChange, how: TextOptions): readonly string[] {
  const { name, deleted, strays } = machine
  if (deleted.length + strays.length === 0) return []
  return [
    place([name], machine, how),
    ...deleted.flatMap(({ command, text }) => [
      ...said('deletes', command ?? '', how),
      ...said('', text, how).map(how.paint.faint),
    ]),
    ...strays.flatMap(({ text, why }) => [...said('KEEPS', text, how).map(how.paint.bad), ...said('', why, how)]),
  ]
}

/** With -vv: what kube-proxy fed to its tool, as it did. */
function fedLines({ fed }: MachineChange, how: TextOptions): readonly string[] {
  return fed.flatMap((input) => {
    const text =
      input.tool === 'nft' ? input.ops.flatMap(nftLines) : input.text.split('\n').filter((line) => line !== '')
    return text.length === 0
      ? []
      : [...said('feeds', `${input.tool}:`, how), ...text.flatMap((line) => said('', line, how))]
  })
}
