import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadAll, load as parseYaml } from 'js-yaml'
import { Check } from 'typebox/schema'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { NEW_LAB_NETWORKS } from '../../cli/new-lab.ts'
import { VERSION } from '../../cli/version.ts'
import { LAB_NAMES } from '../labs.ts'
import { podwalk } from './run-podwalk.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'podwalk-lab-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

test('every lab is listed, with what it teaches', () => {
  const { out, code } = podwalk('lab', 'list')
  expect(code).toBe(0)
  const rows = out.trimEnd().split('\n').slice(1)
  expect(rows.map((row) => row.split(/\s+/)[0])).toEqual(LAB_NAMES)
  for (const row of rows) expect(row).toMatch(/^\S+ {2,}[A-Z].{20,}\.$/)
})

test.each(LAB_NAMES)('%s is valid', (name) => {
  const ran = podwalk('lab', 'validate', `topologies/${name}/lab.yaml`)
  expect(ran).toMatchObject({ code: 0, err: '' })
  expect(ran.out).toMatch(/^3 nodes, \d+ pods, \d+ services: 0 errors, 0 warnings\n$/)
})

describe.each(NEW_LAB_NETWORKS)('a new lab on %s', (cni) => {
  const fileOf = (nodes: string): string => {
    const { out, code } = podwalk('lab', 'new', '--cni', cni, '--nodes', nodes)
    expect(code).toBe(0)
    const path = join(folder, `${cni}-${nodes}.yaml`)
    writeFileSync(path, out)
    return path
  }

  test.each(['1', '2', '3', '30'])('of %s nodes is valid', (nodes) => {
    const ran = podwalk('lab', 'validate', fileOf(nodes))
    expect(ran.err).toBe('')
    expect(ran.out).toMatch(new RegExp(`^${nodes} nodes, `))
    expect(ran.code).toBe(0)
  })

  test.each<[string, number]>([
    ['http://web', 0],
    ['web.default:80', 0],
    ['http://www.example.com', 3],
    ['http://nobody', 1],
  ])('answers: %s', (to, code) => {
    const ran = podwalk('trace', '-f', fileOf('3'), '--from', 'pod/client', '--to', to)
    expect(ran.err).toBe('')
    expect(ran.code).toBe(code)
  })

  test('has what its first lines promise', () => {
    const path = fileOf('3')
    expect(readFileSync(path, 'utf8')).toContain('podwalk trace -f THIS_FILE --from pod/client --to http://web')
    const lab = loadAll(readFileSync(path, 'utf8'))[0]
    expect(Check(JSON.parse(podwalk('lab', 'schema').out), lab)).toBe(true)
  })
})

test('the most nodes that a new lab can have', () => {
  const path = join(folder, 'most.yaml')
  writeFileSync(path, podwalk('lab', 'new', '--nodes', '200').out)
  expect(podwalk('lab', 'validate', path)).toMatchObject({ code: 0, err: '' })
  expect(podwalk('trace', '-f', path, '--from', 'pod/client', '--to', 'http://web').code).toBe(0)
})

test('the schema takes the labs that come with podwalk, and sees what is wrong', () => {
  const schema = JSON.parse(podwalk('lab', 'schema').out)
  const labOf = (name: string): object =>
    parseYaml(readFileSync(`topologies/${name}/lab.yaml`, 'utf8').split('\n---\n')[0] ?? '') as object
  for (const name of LAB_NAMES) expect(Check(schema, labOf(name)), name).toBe(true)
  expect(Check(schema, { ...labOf('two-racks'), kind: 'Laboratory' })).toBe(false)
  expect(Check(schema, { ...labOf('two-racks'), spec: { networks: [{ name: 'lan' }] } })).toBe(false)
  expect(Check(schema, { ...labOf('two-racks'), spec: { faults: [{ kind: 'gremlins' }] } })).toBe(false)
})

test('what is wrong in a lab is told with its line, and counted', () => {
  const path = join(folder, 'wrong.yaml')
  writeFileSync(
    path,
    'apiVersion: podwalk/v1alpha1\nkind: Lab\nspec:\n  gateway: { ip: 10.0.0.1 }\n  podCIDRs: [10.1/16]\n',
  )
  const ran = podwalk('lab', 'validate', path)
  expect(ran.code).toBe(1)
  expect(ran.err).toMatch(/^error: \S+wrong\.yaml:4(:\d+)?: .*gateway/m)
  expect(ran.err).toMatch(/^error: \S+wrong\.yaml:5(:\d+)?: .*podCIDRs\[0\] "10\.1"/m)
  expect(ran.out).toMatch(/: [1-9]\d* errors?, /)
})

test('the version is that of the package', () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { readonly version: string }
  expect(VERSION).toBe(version)
  expect(podwalk('version').out).toMatch(new RegExp(`^podwalk {8}${version}\npod networks {3}flannel, calico`))
  expect(podwalk('--version')).toMatchObject({ code: 0, out: `${version}\n` })
})
