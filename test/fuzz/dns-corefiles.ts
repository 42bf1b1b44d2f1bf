import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { answer } from '../../dns/coredns/answer.ts'
import { UNSYNCED_VIEW } from '../../dns/coredns/api-view.ts'
import { standingServers } from '../../dns/coredns/standing-servers.ts'
import { query } from '../../dns/message.ts'
import { encodeMessage } from '../../dns/message-encode.ts'
import { ip } from '../../packet/ip.ts'
import { ROOT } from '../command-line.ts'
import { type Random, randomOf } from './random.ts'

/** Words that mean something in one place or another. */
const WORDS = [
  '{',
  '}',
  '"',
  '\\',
  '#',
  '(',
  ')',
  '*',
  '.',
  '-1',
  '0',
  '99999',
  '1h',
  '5%',
  '::1',
  '10.0.0.0/9',
  '/z',
  'a.b',
  '@x',
  '{$A}',
  'import',
  'import /z',
  'import (s)',
  '(s)',
  'stop',
  'continue',
  'regex',
  '(a*)*$',
  '[a-',
  'a{1,1000}',
  '(?i)',
  'answer',
  'auto',
  '{{ range .Match }}',
  '{{ end }}',
  '{{ .X.Y }}',
  "type() == 'A' and",
  '1..999999',
  'expr',
  'view',
  'template',
  'rewrite',
  'file',
  '\n',
  '\n}',
  'IN',
  'ANY',
  'tls://x',
  ':99999',
  'dns://',
  ',',
]

/** The Corefiles that are recorded, whole and in error. */
export function corefileCorpus(): readonly string[] {
  const text = readFileSync(join(ROOT, 'test/cases/coredns/corefiles.json'), 'utf8')
  return (JSON.parse(text) as readonly { readonly corefile: string }[]).map(({ corefile }) => corefile)
}

/** A Corefile that somebody has damaged: by its seed, always the same. */
export function mutatedCorefile(corpus: readonly string[], seed: number): string {
  const random = randomOf(seed)
  const pieces = (corpus[random.below(corpus.length)] ?? '').split(/(\s+)/)
  if (random.below(4) === 0) pieces.push(...(corpus[random.below(corpus.length)] ?? '').split(/(\s+)/))
  for (let i = 1 + random.below(6); i > 0; i--) damage(random, pieces)
  return pieces.join('')
}

function damage(random: Random, pieces: string[]): void {
  const [at, other] = [random.below(pieces.length), random.below(pieces.length)]
  const word = WORDS[random.below(WORDS.length)] ?? ''
  switch (random.below(6)) {
    case 0:
      pieces.splice(at, 1 + random.below(3))
      break
    case 1:
      pieces.splice(at, 0, ' ', word, ' ')
      break
    case 2:
      pieces.splice(at, 0, ...pieces.slice(other, other + random.below(12)))
      break
    case 3:
      pieces[at] = word
      break
    case 4: {
      const text = pieces[at] ?? ''
      const cut = random.below(text.length + 1)
      pieces[at] = text.slice(0, cut) + word + text.slice(cut)
      break
    }
    default:
      pieces[at] = String.fromCharCode(random.below(0x250))
  }
}

/** Loads one Corefile and asks it something. Throws where that does, or where it gives no reason. */
export function loadMutatedCorefile(corpus: readonly string[], seed: number): 'starts' | 'refused' {
  const text = mutatedCorefile(corpus, seed)
  const standing = standingServers({
    corefile: { name: 'Corefile', text, folder: '/' },
    world: {
      api: UNSYNCED_VIEW,
      file: (path) => (path === '/z' ? text : undefined),
      addresses: () => [ip('10.244.0.2')],
      hostname: 'coredns',
    },
    env: new Map([['A', 'b c']]),
    draw: () => 0,
  })
  if (!standing.ok) {
    if (
      standing.reason === '' ||
      /undefined|\[object|NaN/.test(standing.reason.replace(text, '')) !== /undefined|\[object|NaN/.test(text)
    )
      throw new Error(`refused: ${JSON.stringify(standing.reason)}`)
    return 'refused'
  }
  const asked = encodeMessage(query(1, { name: 'www.example.com.', type: 'A' }))
  for (const server of standing.value.servers)
    if (asked.ok) answer(server, { bytes: asked.value, client: { ip: ip('10.9.1.7'), port: 4000 }, transport: 'udp' })
  return 'starts'
}
