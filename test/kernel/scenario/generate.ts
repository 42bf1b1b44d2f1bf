import { randomOf } from './random.ts'
import { randomCluster } from './random-cluster.ts'
import { randomFlannel } from './random-flannel.ts'
import { randomPlain } from './random-plain.ts'
import { randomRouted } from './random-routed.ts'
import { randomTopology } from './random-topology.ts'
import type { Mode, Recipe } from './recipe.ts'

/** The lab of that number and its rounds: the same for the same seed, whatever else is asked for. */
export function generate({ seed, index, modes }: { seed: number; index: number; modes: readonly Mode[] }): Recipe {
  const random = randomOf(`${seed} ${index}`)
  const chosen = modes[index % modes.length]!
  switch (chosen) {
    case 'vxlan':
    case 'host-gw':
    case 'udp':
      return randomFlannel(random, chosen)
    case 'cluster-vxlan':
    case 'cluster-directrouting':
    case 'cluster-host-gw':
    case 'cluster-udp':
    case 'cluster-calico':
      return randomCluster(random, chosen)
    case 'bridge4':
    case 'bridge6':
    case 'bridge46':
      return randomPlain(random, chosen)
    case 'routed4':
    case 'routed6':
    case 'routed46':
      return randomRouted(random, chosen)
    case 'calico':
    case 'two-racks':
      return randomTopology(random, chosen)
  }
}
