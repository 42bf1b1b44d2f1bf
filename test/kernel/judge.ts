import type { Step } from '../../engine/step.ts'
import type { KernelTruth } from './case-file.ts'
import { type Comparison, compare } from './compare.ts'
import { runInModel } from './model.ts'
import { observeKernel } from './observe-kernel.ts'
import { observeModel } from './observe-model.ts'
import type { Observed } from './observed.ts'
import type { Scenario } from './scenario.ts'
import { scriptedDraws } from './scripted-draws.ts'

export interface Judgement extends Comparison {
  readonly ours: Observed
  readonly kernel: Observed
  /** Draws that were fed from the kernel. */
  readonly fed: number
  /** Everything that happened in our model. */
  readonly steps: readonly Step[]
}

/** What one draw decides (a port) can stand in the way of seeing the next (a sequence number): so several runs. */
const MAX_RUNS = 8

/** Runs the model with the kernel's own choices and compares. */
export function judge(scenario: Scenario, truth: KernelTruth): Judgement {
  const kernel = observeKernel(truth, scenario.lab)
  const script = scriptedDraws(kernel, scenario.lab)
  let run = runInModel(scenario, script.draw)
  let ours = observeModel(run)
  for (let runs = 1; runs < MAX_RUNS && script.learn(ours, kernel); runs++) {
    script.rewind()
    run = runInModel(scenario, script.draw)
    ours = observeModel(run)
  }
  return { ...compare(ours, kernel), ours, kernel, fed: script.solved(), steps: run.steps }
}
