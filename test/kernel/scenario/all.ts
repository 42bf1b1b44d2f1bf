import type { Scenario } from '../scenario.ts'
import { oneBridge } from './one-bridge.ts'

/** Every scenario written by hand. */
export const SCENARIOS: readonly Scenario[] = [...oneBridge]
