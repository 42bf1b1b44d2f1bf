import type { Built } from './build.ts'
import type { Exchange } from './conversation.ts'
import type { PolicyView } from './policy-view.ts'

export function policiesOf(_built: Built, _exchange: Exchange): readonly PolicyView[] {
  return []
}
