import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { isAbsolute, join, relative } from 'node:path'
import { Stop } from './terminal.ts'

/** The labs that come with podwalk. They stand beside the folder of this file, in the sources and in the package. */
const TOPOLOGIES = join(import.meta.dirname, '..', 'topologies')

export const DEFAULT_LAB = 'textbook-flannel-vxlan'

export interface BuiltInLab {
  readonly name: string
  readonly path: string
  /** The first sentence of its README after the heading. */
  readonly about: string
}

export function builtInLabs(): readonly BuiltInLab[] {
  if (!existsSync(TOPOLOGIES)) return []
  return readdirSync(TOPOLOGIES, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(TOPOLOGIES, entry.name, 'lab.yaml')))
    .map((entry) => entry.name)
    .sort()
    .map((name) => ({ name, path: join(TOPOLOGIES, name, 'lab.yaml'), about: aboutOf(name) }))
}

function aboutOf(name: string): string {
  const readme = join(TOPOLOGIES, name, 'README.md')
  if (!existsSync(readme)) return ''
  const lines = readFileSync(readme, 'utf8').split('\n')
  const text = lines.filter((line) => line !== '' && !line.startsWith('#'))[0] ?? ''
  return /^(.*?[.])(\s|$)/.exec(text)?.[1] ?? text
}

/** The file of a built-in lab. */
export function builtInLab(name: string): string {
  const labs = builtInLabs()
  const found = labs.find((lab) => lab.name === name)
  if (found !== undefined) return nearPath(found.path)
  throw new Stop(`there is no built-in lab "${name}"`, {
    todo: `choose one of ${labs.map((lab) => lab.name).join(', ')}`,
  })
}

/** As seen from here, where that is shorter: it stands in every message. */
function nearPath(path: string): string {
  const near = relative(process.cwd(), path)
  return near.startsWith('..') || isAbsolute(near) ? path : near
}
