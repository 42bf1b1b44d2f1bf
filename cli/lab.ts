import { labSchema } from '../cluster/lab-schema.ts'
import { load } from '../cluster/load.ts'
import { table } from '../render/columns.ts'
import { builtInLabs } from './built-in-labs.ts'
import { EXIT } from './exit-code.ts'
import { type NewLab, newLab } from './new-lab.ts'
import { readInput } from './read-input.ts'
import { complain, diagnosticLines, print } from './terminal.ts'

/** `podwalk lab list`. */
export function labList(): number {
  const labs = builtInLabs()
  print(table([['NAME', 'TEACHES'], ...labs.map((lab) => [lab.name, lab.about])]).join('\n'))
  return EXIT.yes
}

/** `podwalk lab schema`: for editors that complete and check Lab documents. */
export function labSchemaText(): number {
  print(`${JSON.stringify(labSchema, undefined, 2)}\n`)
  return EXIT.yes
}

/** `podwalk lab validate FILE...`: 0 if nothing is wrong. */
export function labValidate(paths: readonly string[]): number {
  const input = readInput(paths)
  const { cluster, diagnostics } = load(input.files)
  const problems = [...input.diagnostics, ...diagnostics].filter((diagnostic) => diagnostic.severity !== 'note')
  for (const problem of problems) complain(diagnosticLines(problem))
  const errors = problems.filter((problem) => problem.severity === 'error').length
  print(
    `${cluster.nodes.length} nodes, ${cluster.pods.length} pods, ${cluster.services.length} services: ${errors} errors, ${problems.length - errors} warnings`,
  )
  return errors > 0 ? EXIT.no : EXIT.yes
}

/** `podwalk lab new`: a lab to start from, on standard output. */
export function labNew(options: NewLab): number {
  print(newLab(options))
  return EXIT.yes
}
