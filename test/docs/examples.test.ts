import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { podwalk, ROOT } from '../command-line.ts'
import { blocksOf, examplesOf, firstDifference } from './console-block.ts'

/** README, docs and the labs' READMEs. */
const documents = [
  'README.md',
  'CONTRIBUTING.md',
  ...(existsSync(join(ROOT, 'docs')) ? readdirSync(join(ROOT, 'docs')).map((name) => `docs/${name}`) : []),
  ...readdirSync(join(ROOT, 'topologies'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => `topologies/${entry.name}/README.md`),
].filter((file) => file.endsWith('.md'))

const examples = documents.flatMap((file) => examplesOf(file, readFileSync(join(ROOT, file), 'utf8')))

describe('examples in documents', () => {
  test('there are some', () => expect(examples.length).toBeGreaterThan(4))

  test.each(examples)('$file:$line podwalk $args', ({ args, output }) => {
    const run = podwalk(args)
    expect(run.stderr.split('\n').filter((line) => line.startsWith('error'))).toEqual([])
    expect(firstDifference(output, run.stdout.replace(/\n$/, '').split('\n'))).toBeUndefined()
  })
})

/** What stands for the reader's own snapshot.yaml. */
const SNAPSHOT = 'topologies/textbook-flannel-vxlan/lab.yaml'
const readme = readFileSync(join(ROOT, 'README.md'), 'utf8')

describe('README', () => {
  const commands = blocksOf(readme, 'sh').flatMap((block) =>
    block.split('\n').filter((line) => line.startsWith('podwalk ')),
  )

  test.each(commands)('%s', (command) => {
    const args = command.replaceAll('snapshot.yaml', SNAPSHOT).split(/\s+/).slice(1)
    expect(podwalk(args)).toMatchObject({ code: 0 })
  })

  test('the library example prints a delivered answer', async () => {
    const [example] = blocksOf(readme, 'ts')
    const text = (example ?? '')
      .replace("from 'podwalk'", "from '../index.ts'")
      .replaceAll('snapshot.yaml', join(ROOT, SNAPSHOT))
    const file = join(ROOT, 'dist', 'readme-example.ts')
    writeFileSync(file, text)
    const said: string[] = []
    const log = vi.spyOn(console, 'log').mockImplementation((line: string) => void said.push(line))
    await import(file)
    log.mockRestore()
    expect(said.join('\n')).toContain('✓ DELIVERED  pod default/client -> http://my-nginx')
  })
})

test('a wrong example is found', () => {
  const [example] = examplesOf('x.md', '```console\n$ podwalk version\npodwalk 0.0.0\n```')
  expect(example).toMatchObject({ line: 2, args: ['version'], output: ['podwalk 0.0.0'] })
  expect(firstDifference(['a', '[...]', 'd'], ['a', 'b', 'c', 'd'])).toBeUndefined()
  expect(firstDifference(['a', '[...]', 'x'], ['a', 'b'])).toMatchObject({ expected: 'x' })
  expect(firstDifference(['a'], ['a', 'b'])).toMatchObject({ near: 'b' })
})
