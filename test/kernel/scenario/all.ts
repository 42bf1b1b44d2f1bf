import type { Scenario } from '../scenario.ts'
import { finePoints } from './fine-points.ts'
import { nftRules } from './nft-rules.ts'
import { nftServices } from './nft-services.ts'
import { oneBridge } from './one-bridge.ts'
import { topologyScenarios } from './topologies.ts'
import { twoNodes } from './two-nodes.ts'

/** Every scenario written by hand. */
export const SCENARIOS: readonly Scenario[] = [
  ...oneBridge,
  ...twoNodes,
  ...finePoints,
  ...nftServices,
  ...nftRules,
  ...topologyScenarios(),
]
