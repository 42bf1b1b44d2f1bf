import { expect, it } from 'vitest'
import { KNOWN_CNIS, MODELLED_CNIS } from '../../cluster/detect-cni.ts'
import { cniPlugins } from '../../cni/registry.ts'

it('what a mistyped CNI is corrected to is computed', () => {
  expect([...MODELLED_CNIS].sort()).toEqual(Object.keys(cniPlugins).sort())
  for (const name of MODELLED_CNIS) expect(KNOWN_CNIS).toContain(name)
})
