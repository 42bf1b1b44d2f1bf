import { DEFAULT_LAB } from './built-in-labs.ts'
import { complain } from './terminal.ts'
import { trace } from './trace.ts'

/** What podwalk does without words: one request on the built-in textbook cluster, from name to reply. */
export function demo(): number {
  const code = trace({
    lab: DEFAULT_LAB,
    from: 'pod/client',
    to: 'http://my-nginx',
    namespace: 'default',
    seed: 1,
    every: 1,
    output: 'text',
    verbose: 0,
  })
  complain([
    '',
    `This was: podwalk trace --lab ${DEFAULT_LAB} --from pod/client --to http://my-nginx`,
    'Add -v for headers, -vv for every rule; give -f FILE for your own cluster; podwalk --help tells the rest.',
  ])
  return code
}
