/** Suffixes of a quantity (k8s.io/apimachinery pkg/api/resource/suffix.go). */
const SUFFIX: Readonly<Record<string, number>> = {
  '': 1,
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
}

const QUANTITY = /^([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|([numkMGTPE]|[KMGTPE]i)?)$/

/** The number that a quantity (`4`, `1500m`, `512Gi`, `1e3`) stands for; undefined where it is none. */
export function parseQuantity(quantity: string): number | undefined {
  const match = QUANTITY.exec(quantity)
  if (match === null) return undefined
  const [, number = '', exponent = '', suffix = ''] = match
  return exponent === '' ? Number(number) * (SUFFIX[suffix] ?? 1) : Number(`${number}${exponent}`)
}

/** A CPU quantity in thousandths, rounded up as the scheduler does. */
export function milliCpu(quantity: string): number | undefined {
  const cpus = parseQuantity(quantity)
  // 0.3 CPUs are 300, although 0.3 * 1000 is a little more in floating point.
  return cpus === undefined ? undefined : Math.ceil(Number((cpus * 1000).toPrecision(12)))
}
