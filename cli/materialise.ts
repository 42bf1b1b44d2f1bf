import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { materialiseCluster } from '../render/materialise/cluster.ts'
import { EXIT } from './exit-code.ts'
import { reasonOf } from './read-input.ts'
import { openBuilt, type SnapshotOptions } from './snapshot.ts'
import { complain, Stop } from './terminal.ts'

export interface MaterialiseOptions extends SnapshotOptions {
  readonly output?: string
  readonly force?: boolean
  readonly prefix: string
  readonly bgp: 'routes' | 'bird'
}

/** Which files are ours, for the next --force. */
const MANIFEST = '.files'

/** `podwalk lab materialise`: the cluster as text that builds it out of network namespaces. */
export function labMaterialise(options: MaterialiseOptions): number {
  const { output, prefix, bgp } = options
  if (output === undefined)
    throw new Stop('lab materialise writes many files: it needs a directory', { todo: 'name one: -o DIR' })
  if (output === '-')
    throw new Stop('-o -: a cluster is many files, which standard output cannot hold', {
      todo: 'name a directory: -o DIR',
    })
  checkPrefix(prefix)
  checkDirectory(output, options.force === true)
  const made = materialiseCluster(openBuilt(options), { prefix, bgp })
  try {
    clear(output)
    write(output, made.files)
  } catch (error) {
    throw new Stop(`${output} cannot be written: ${reasonOf(error)}`, { todo: 'name another directory after -o' })
  }
  complain([
    `${made.files.size} files, ${made.places.size + made.switches.length} namespaces. Read ${join(output, 'README.md')}, or run: sudo ${join(output, 'up.sh')}`,
  ])
  return EXIT.yes
}

function checkPrefix(prefix: string): void {
  if (/^[A-Za-z0-9_-]{0,32}$/.test(prefix)) return
  throw new Stop(`--prefix ${prefix}: it stands in file names`, {
    todo: 'at most 32 letters, digits, hyphens and underscores',
  })
}

function checkDirectory(directory: string, force: boolean): void {
  if (!existsSync(directory)) return
  if (!statSync(directory).isDirectory())
    throw new Stop(`${directory} is a file`, { todo: 'name a directory after -o' })
  if (existsSync(join(directory, '.up')))
    throw new Stop(`the cluster in ${directory} is up`, { todo: `take it down first: ${join(directory, 'down.sh')}` })
  if (readdirSync(directory).length > 0 && !force)
    throw new Stop(`${directory} is not empty`, { todo: 'name another directory, or write into it with --force' })
}

/** What an earlier run wrote there and nothing else. */
function clear(directory: string): void {
  const manifest = join(directory, MANIFEST)
  if (!existsSync(manifest)) return
  for (const file of readFileSync(manifest, 'utf8').split('\n'))
    if (file !== '' && !file.split('/').includes('..')) rmSync(join(directory, file), { force: true })
}

function write(directory: string, files: ReadonlyMap<string, string>): void {
  makeDirectory(directory)
  writeFileSync(join(directory, MANIFEST), [...files.keys()].map((file) => `${file}\n`).join(''))
  for (const [file, text] of files) {
    const path = join(directory, file)
    makeDirectory(dirname(path))
    writeFileSync(path, text, { mode: /\.(sh|py)$/.test(file) ? 0o755 : 0o644 })
  }
}

/** With what is above it. (`recursive` of Node 20 never comes back where a file system takes no directories.) */
function makeDirectory(path: string): void {
  if (existsSync(path)) return
  makeDirectory(dirname(path))
  mkdirSync(path)
}
