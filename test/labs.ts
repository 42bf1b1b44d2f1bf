import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { load as parseYaml } from 'js-yaml'
import type { Lab } from '../cluster/lab.ts'
import { load } from '../cluster/load.ts'
import { ask } from '../engine/ask.ts'
import { type Built, build } from '../engine/build.ts'
import type { Conversation } from '../engine/conversation.ts'
import { type Question, readQuestion } from '../engine/question.ts'
import { must } from '../packet/parsed.ts'

/** The built-in labs and the questions that stand beside them, for tests that hold for all of them. */

export interface LabProbe extends Question {
  readonly name: string
  /** Settings that take the place of the Lab's own for this probe. */
  readonly lab?: Lab
}

const TOPOLOGIES = join(import.meta.dirname, '..', 'topologies')

export const LAB_NAMES: readonly string[] = readdirSync(TOPOLOGIES)
  .filter((name) => existsSync(join(TOPOLOGIES, name, 'lab.yaml')))
  .sort()

if (LAB_NAMES.length < 5) throw new Error('there are labs missing')

/** A lab, or one with other settings, ready to be walked. */
export function openLab(name: string, lab?: Lab): Built {
  const bytes = new Uint8Array(readFileSync(join(TOPOLOGIES, name, 'lab.yaml')))
  return build(load([{ name: `topologies/${name}/lab.yaml`, bytes }], lab === undefined ? {} : { lab }).cluster)
}

export function probesOf(name: string): readonly LabProbe[] {
  const text = readFileSync(join(TOPOLOGIES, name, 'probes.yaml'), 'utf8')
  return (parseYaml(text) as { readonly probes: readonly LabProbe[] }).probes
}

export interface LabWalk {
  readonly built: Built
  readonly probe: LabProbe
  readonly answer: Conversation
}

/** The answers to all probes of a lab, walked one by one as they are taken. */
export function* labWalks(name: string, options: { readonly seed?: number } = {}): Generator<LabWalk> {
  const plain = openLab(name)
  for (const probe of probesOf(name)) {
    const built = probe.lab === undefined ? plain : openLab(name, probe.lab)
    yield { built, probe, answer: ask(built, must(readQuestion(built, probe)), options) }
  }
}
