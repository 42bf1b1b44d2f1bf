import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ownCasesFolder } from './cases-folder.ts'
import { asSet, endpointsShape, type Recorded, type Recording, serviceShape, sliceShape } from './controller-shapes.ts'
import { type ControllersFile, replayControllers } from './controllers.ts'

const file = JSON.parse(readFileSync(join(ownCasesFolder('snapshots'), 'controllers.json'), 'utf8')) as ControllersFile
const cases = file.cases as readonly Recorded[]

describe('what a real API server and its controllers made of manifests', () => {
  it('is a file of 54 cases', () => expect(cases.length).toBe(54))

  it.each(cases.map((one) => [one.name, one] as const))('%s', (name, one) => {
    const ours = replayControllers(file, one) as unknown as Recorded & {
      refused: readonly { messages: readonly string[] }[]
    }
    expect(asSet((ours.services ?? []).map((service) => serviceShape(one, service)))).toEqual(
      asSet((one.services ?? []).map((service) => serviceShape(one, service))),
    )
    expect(asSet(ours.refused.map(({ kind, name }) => `${kind}/${name}`))).toEqual(
      asSet((one.refused ?? []).map(({ kind, name }) => `${kind}/${name}`)),
    )
    const [recorded, made] = [one.endpointSlices ?? [], ours.endpointSlices ?? []]
    // Which five of the 105 endpoints are in the second slice is chance.
    if (name === 'many') {
      const sizes = (slices: readonly Recording[]) =>
        slices.map(({ endpoints }) => (endpoints as unknown[]).length).sort()
      const all = (slices: readonly Recording[]) =>
        slices.flatMap((slice) => (sliceShape(slice) as { endpoints: string[] }).endpoints).sort()
      expect([sizes(made), all(made)]).toEqual([sizes(recorded), all(recorded)])
    } else expect(asSet(made.map(sliceShape))).toEqual(asSet(recorded.map(sliceShape)))
    expect(asSet((ours.endpoints ?? []).map(endpointsShape))).toEqual(asSet((one.endpoints ?? []).map(endpointsShape)))
    expect(ours.namespaceLabels).toEqual(one.namespaceLabels)
  })

  it("refuses in the API server's own words", () => {
    const said = cases.flatMap((one) => {
      const ours = replayControllers(file, one).refused as readonly { name: string; messages: readonly string[] }[]
      return (one.refused ?? []).map(({ name, message }) => {
        const reason = message.slice(message.indexOf('is invalid: ') + 'is invalid: '.length)
        const own = (ours.find((other) => other.name === name)?.messages ?? []).map((text) =>
          text.slice(text.indexOf('is invalid: ') + 'is invalid: '.length),
        )
        return { recorded: reason, ours: own.length === 1 ? own[0]! : `[${own.join(', ')}]` }
      })
    })
    // The API server says twice, in two ways, that a name is no address.
    const differing = said.filter(({ recorded, ours }) => recorded !== ours && !recorded.includes('db.example.com'))
    expect(differing).toEqual([])
    expect(said.length).toBe(27)
  })
})
