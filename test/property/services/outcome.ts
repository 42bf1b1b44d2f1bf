/** What becomes of a first packet, as far as kube-proxy decides it. */
export type Outcome =
  /** It goes to one of the endpoints. */
  | { readonly kind: 'delivered'; readonly to: readonly Share[] }
  /** The client is told at once. */
  | { readonly kind: 'refused' }
  | { readonly kind: 'dropped' }
  /** Nobody takes it for a Service: it goes its way as it came. */
  | { readonly kind: 'passed' }

export interface Share {
  /** `10.244.1.2:8080`. */
  readonly endpoint: string
  readonly probability: number
  readonly masquerade: boolean
}

export const REFUSED: Outcome = { kind: 'refused' }
export const DROPPED: Outcome = { kind: 'dropped' }
export const PASSED: Outcome = { kind: 'passed' }

/** For comparing: shares in order, probabilities to six digits. */
export function outcomeText(outcome: Outcome): string {
  if (outcome.kind !== 'delivered') return outcome.kind
  return outcome.to
    .map(
      ({ endpoint, probability, masquerade }) =>
        `${endpoint} ${probability.toFixed(6)}${masquerade ? ' masqueraded' : ''}`,
    )
    .sort()
    .join(', ')
}
