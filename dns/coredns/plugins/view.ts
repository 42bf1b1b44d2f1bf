import { type Parsed, parsed } from '../../../packet/parsed.ts'
import { compileExpression, type Program } from '../expression/evaluate.ts'
import { QUERY_FUNCTIONS, queryFunctions } from '../expression/query-environment.ts'
import { type Controller, type Plugin, passThrough, pluginError } from '../plugin.ts'

/** view NAME { expr EXPRESSION }: a server block for those queries only for which all expressions are true (plugin/view). */
export const view: Plugin = {
  name: 'view',
  setup(controller) {
    const options = parseOptions(controller)
    if (!options.ok) return options
    return parsed([
      {
        ...passThrough('view', controller.line),
        describe: () => [['view/name', options.value.name]],
        admits(request) {
          const environment = { functions: queryFunctions(request), variables: {} }
          return options.value.programs.every((program) => program.run(environment) === true)
        },
      },
    ])
  },
}

interface ViewOptions {
  readonly name: string
  readonly programs: readonly Program[]
}

function parseOptions(controller: Controller): Parsed<ViewOptions> {
  const { words } = controller
  const programs: Program[] = []
  let name = ''
  let count = 0
  while (words.next()) {
    if (count++ > 0) return pluginError('view', 'this plugin can only be used once per Server Block')
    const args = words.remaining()
    if (args.length !== 1) return pluginError('view', words.argumentError())
    name = args[0] ?? ''
    while (words.nextInBlock()) {
      if (words.word() !== 'expr') return pluginError('view', words.error(`unknown property '${words.word()}'`))
      const text = words.remaining().join(' ')
      const program = compileExpression(text, { functions: QUERY_FUNCTIONS, variables: [] })
      if (!program.ok) return pluginError('view', program.reason)
      programs.push(program.value)
    }
  }
  return parsed({ name, programs })
}
