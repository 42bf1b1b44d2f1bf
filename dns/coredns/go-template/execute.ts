import { type Parsed, parsed, refused } from '../../../packet/parsed.ts'
import { FUNCTIONS } from './functions.ts'
import { type Node, type Operand, type Pipe, parseTemplate } from './parse.ts'
import { ExecutionFault, isList, isMap, isStruct, isTrue, printed, type Struct, type Value } from './value.ts'

/** A template ready to run. */
export interface Template {
  /** The text; refused with what Go says of a failure. */
  execute(data: Struct): Parsed<string>
}

/** Longest text a template may make; a record is far shorter. */
const MAX_OUTPUT = 65_535

/** Compiles a text of text/template; refused in Go's words. */
export function compileTemplate(name: string, source: string): Parsed<Template> {
  const nodes = parseTemplate(name, source, Object.keys(FUNCTIONS))
  if (!nodes.ok) return nodes
  return parsed({
    execute(data) {
      const run = new Run(data)
      try {
        run.all(nodes.value, data)
        return parsed(run.output)
      } catch (error) {
        if (error instanceof ExecutionFault)
          return refused(`template: ${name}: executing ${JSON.stringify(name)}: ${error.text}`)
        throw error
      }
    },
  })
}

type Flow = 'on' | 'break' | 'continue'

class Run {
  output = ''
  private variables: { readonly name: string; value: Value }[]

  constructor(data: Struct) {
    this.variables = [{ name: '$', value: data }]
  }

  all(nodes: readonly Node[], dot: Value): Flow {
    for (const node of nodes) {
      const flow = this.node(node, dot)
      if (flow !== 'on') return flow
    }
    return 'on'
  }

  private write(text: string): void {
    this.output += text
    if (this.output.length > MAX_OUTPUT) throw new ExecutionFault('the text is too long')
  }

  private node(node: Node, dot: Value): Flow {
    switch (node.kind) {
      case 'text':
        this.write(node.text)
        return 'on'
      case 'action': {
        const value = this.pipe(node.pipe, dot)
        if (node.pipe.variables.length === 0) this.write(printed(value))
        return 'on'
      }
      case 'if':
      case 'with': {
        const depth = this.variables.length
        const value = this.pipe(node.pipe, dot)
        const flow = isTrue(value)
          ? this.all(node.body, node.kind === 'with' ? value : dot)
          : this.all(node.otherwise, dot)
        this.variables.length = depth
        return flow
      }
      case 'range':
        return this.range(node, dot)
      case 'break':
      case 'continue':
        return node.kind
    }
  }

  private range({ pipe, body, otherwise }: Node & { kind: 'range' }, dot: Value): Flow {
    const depth = this.variables.length
    const value = this.pipe({ ...pipe, variables: [] }, dot)
    const items = itemsOf(value)
    for (const [key, item] of items) {
      const [first, second] = pipe.variables
      if (second !== undefined) {
        this.set(first ?? '', key, pipe.declares)
        this.set(second, item, pipe.declares)
      } else if (first !== undefined) this.set(first, item, pipe.declares)
      const flow = this.all(body, item)
      this.variables.length = depth
      if (flow === 'break') break
    }
    return items.length === 0 ? this.all(otherwise, dot) : 'on'
  }

  private set(name: string, value: Value, declares: boolean): void {
    const known = declares ? undefined : this.variables.findLast((variable) => variable.name === name)
    if (known) known.value = value
    else this.variables.push({ name, value })
  }

  private pipe({ variables, declares, commands }: Pipe, dot: Value): Value {
    let value: Value
    for (const [i, command] of commands.entries()) value = this.command(command, dot, i === 0 ? [] : [value])
    for (const name of variables) this.set(name, value, declares)
    return value
  }

  private command([first, ...rest]: readonly Operand[], dot: Value, last: readonly Value[]): Value {
    if (!first) return undefined
    const args = () => [...rest.map((operand) => this.operand(operand, dot)), ...last]
    if (first.kind === 'function') {
      if (first.name === 'and' || first.name === 'or') return this.shortCircuit(first.name, { rest, dot, last })
      return FUNCTIONS[first.name]?.(...args())
    }
    if (first.kind === 'fields') {
      const owner = this.fields(first.of, first.names.slice(0, -1), dot)
      const name = first.names.at(-1) ?? ''
      const method = isStruct(owner) ? owner.methods?.[name] : undefined
      if (method) return method(...args())
      if (rest.length + last.length > 0)
        throw new ExecutionFault(`${name} has arguments but cannot be invoked as function`)
      return fieldOf(owner, name)
    }
    if (rest.length + last.length > 0) throw new ExecutionFault("can't give argument to non-function")
    return this.operand(first, dot)
  }

  private shortCircuit(
    name: 'and' | 'or',
    { rest, dot, last }: { readonly rest: readonly Operand[]; readonly dot: Value; readonly last: readonly Value[] },
  ): Value {
    let value: Value
    for (const operand of rest) {
      value = this.operand(operand, dot)
      if (isTrue(value) === (name === 'or')) return value
    }
    return last.length > 0 ? last[0] : value
  }

  private operand(operand: Operand, dot: Value): Value {
    switch (operand.kind) {
      case 'literal':
        return operand.value
      case 'dot':
        return dot
      case 'variable':
        return this.variables.findLast(({ name }) => name === operand.name)?.value
      case 'fields':
      case 'function':
        return this.command([operand], dot, [])
      case 'pipe':
        return this.pipe(operand.pipe, dot)
    }
  }

  private fields(of: Operand, names: readonly string[], dot: Value): Value {
    return names.reduce<Value>(fieldOf, this.operand(of, dot))
  }
}

/** A field, or a method without arguments; a map may have no such key. */
function fieldOf(owner: Value, name: string): Value {
  if (isMap(owner)) return owner.get(name)
  if (isStruct(owner)) {
    if (Object.hasOwn(owner.fields, name)) return owner.fields[name]
    const method = owner.methods?.[name]
    if (method) return method()
    throw new ExecutionFault(`at <.${name}>: can't evaluate field ${name} in type ${owner.type}`)
  }
  throw new ExecutionFault(`at <.${name}>: can't evaluate field ${name}`)
}

function itemsOf(value: Value): readonly (readonly [Value, Value])[] {
  if (isList(value)) return value.map((item, i) => [i, item])
  if (isMap(value)) return [...value].sort(([a], [b]) => (a < b ? -1 : 1))
  if (typeof value === 'number') {
    if (value > MAX_OUTPUT) throw new ExecutionFault(`range over ${value} is too long`)
    return Array.from({ length: Math.max(value, 0) }, (_, i) => [i, i])
  }
  if (value === undefined || value === null) return []
  throw new ExecutionFault(`range can't iterate over ${printed(value)}`)
}
