import { type Parsed, parsed } from '../../../packet/parsed.ts'
import { compileExpression, type Program } from '../expression/evaluate.ts'
import { QUERY_FUNCTIONS, queryFunctions } from '../expression/query-environment.ts'
import { type Controller, type Plugin, passThrough, pluginError } from '../plugin.ts'

/** view NAME { expr EXPRESSION }: a server block for those queries only for which all expressions are true (plugin/view). */
export const view: Plugin = {
  name: 'view',
  setup(controller) {
    const programs = parsePrograms(controller)
    if (!programs.ok) return programs
    return parsed([
      {
        ...passThrough('view', controller.line),
        admits(request) {
          const environment = { functions: queryFunctions(request), variables: {} }
          return programs.value.every((program) => program.run(environment) === true)
        },
      },
    ])
  },
}

function parsePrograms(controller: Controller): Parsed<readonly Program[]> {
  const { words } = controller
  const programs: Program[] = []
  let count = 0
  while (words.next()) {
    if (count++ > 0) return pluginError('view', 'this plugin can only be used once per Server Block')
    if (words.remaining().length !== 1) return pluginError('view', words.argumentError())
    while (words.nextInBlock()) {
      if (words.word() !== 'expr') return pluginError('view', words.error(`unknown property '${words.word()}'`))
      const text = words.remaining().join(' ')
      if (/\bmetadata\s*\(/.test(text)) controller.notModelled('view: metadata')
      const program = compileExpression(text, { functions: QUERY_FUNCTIONS, variables: [] })
      if (!program.ok) return pluginError('view', program.reason)
      programs.push(program.value)
    }
  }
  return parsed(programs)
}
