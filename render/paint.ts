/** Colours by meaning. The edge that knows whether there is a terminal gives one; `plainPaint` adds nothing. */
export interface Paint {
  readonly good: (text: string) => string
  readonly bad: (text: string) => string
  readonly unsure: (text: string) => string
  readonly heading: (text: string) => string
  readonly faint: (text: string) => string
}

const same = (text: string): string => text

export const plainPaint: Paint = { good: same, bad: same, unsure: same, heading: same, faint: same }
