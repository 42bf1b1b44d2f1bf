/** Who may import whom: a folder imports lower levels only, never its neighbours of the same level. */
export const LEVEL: Readonly<Record<string, number>> = {
  packet: 0,
  linux: 1,
  cluster: 1,
  cni: 2,
  proxy: 2,
  netpol: 2,
  dns: 2,
  engine: 3,
  render: 4,
  cli: 5,
  web: 5,
}

/** Where node:* and packages with a single home may be imported. */
export const HOMES: Readonly<Record<string, readonly string[]>> = {
  'node:': ['cli', 'test'],
  netmask: ['packet'],
  'ip-cidr': ['packet'],
  'dns-packet': ['dns'],
  buffer: ['dns'],
  'js-yaml': ['cluster', 'proxy', 'test'],
  commander: ['cli'],
  picocolors: ['cli'],
}

/** Words that no code below the edges may use: they would make two runs differ. */
export const FORBIDDEN_BELOW_EDGES: readonly RegExp[] = [
  /\bDate\.now\b/,
  /\bnew Date\b/,
  /\bMath\.random\b/,
  /\bprocess\.(env|argv|cwd|stdout|stderr|exit)\b/,
  /\bperformance\.now\b/,
  /\bcrypto\.getRandomValues\b/,
]

/** Words of Kubernetes, which the Linux machine does not know. (CLUSTERIP, in capitals, is a target of iptables.) */
export const KUBERNETES_WORDS =
  /\b([Kk]ubernetes|[Kk]ube|kubelet|kubectl|[Pp]ods?|clusterIP|nodePort|[Ee]ndpoint ?[Ss]lices?|[Dd]aemon[Ss]et|[Cc]onfig[Mm]ap|[Cc]ore[Dd][Nn][Ss]|flanneld?|[Cc]alico|[Ff]elix)\b/

export interface Import {
  readonly file: string
  readonly line: number
  readonly from: string
}

const IMPORT = /^\s*(?:import|export)\s(?:[^'"]*?\sfrom\s)?['"]([^'"]+)['"]/

/** The import and re-export lines of a source text, statements over several lines included. */
export function importsOf(file: string, text: string): readonly Import[] {
  const found: Import[] = []
  const lines = text.split('\n')
  for (const [i, line] of lines.entries()) {
    const from = IMPORT.exec(line)?.[1] ?? /^\}\s*from\s+['"]([^'"]+)['"]/.exec(line)?.[1]
    if (from !== undefined) found.push({ file, line: i + 1, from })
  }
  return found
}

/** What is wrong with an import, or undefined. */
export function violation({ file, line, from }: Import): string | undefined {
  const folder = file.split('/')[0] ?? ''
  const at = `${file}:${line}`
  if (!from.startsWith('.')) {
    const home = Object.entries(HOMES).find(
      ([name]) => from === name || (name.endsWith(':') && from.startsWith(name)) || from.startsWith(`${name}/`),
    )
    return home === undefined || home[1].includes(folder) || isTestFile(file)
      ? undefined
      : `${at}: ${from} belongs to ${home[1].join(', ')}`
  }
  const target = resolve(file, from).split('/')[0] ?? ''
  const mine = LEVEL[folder]
  const theirs = LEVEL[target]
  if (mine === undefined || theirs === undefined || folder === target) return undefined
  return theirs < mine ? undefined : `${at}: ${folder} (level ${mine}) imports ${target} (level ${theirs})`
}

/** Tests may use files and processes wherever they stand; the layer rule holds for them too, but for `render` texts. */
export const isTestFile = (file: string): boolean =>
  file.endsWith('.test.ts') || file.startsWith('test/') || file.includes('/testing/')

function resolve(file: string, from: string): string {
  const parts = file.split('/').slice(0, -1)
  for (const part of from.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '.') parts.push(part)
  }
  return parts.join('/')
}
