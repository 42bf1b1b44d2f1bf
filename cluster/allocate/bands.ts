/** Numbers `first` to `last`, of which those from `band` on are given out first. */
export interface Bands {
  readonly first: number
  readonly last: number
  readonly band: number
  /** Where to begin; any number. */
  readonly start: number
}

/** The upper band from a place on, with wrap, then the lower band: the order in which the API server looks. */
export function* inBands({ first, last, band, start }: Bands): Generator<number> {
  const upper = last - band + 1
  for (let i = 0; i < upper; i++) yield band + ((start + i) % upper)
  for (let number = first; number < Math.min(band, last + 1); number++) yield number
}
