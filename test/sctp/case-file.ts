/** Where a plan's recording is kept. */
export const caseFile = (name: string): string =>
  new URL(`../cases/sctp/${name.replaceAll(/[^A-Za-z0-9]+/g, '-')}.json`, import.meta.url).pathname
