/** A release number of the form v1.2.3; a suffix (`-rc1`, `-flannel1`) does not count. */
export type Version = readonly [major: number, minor: number, patch: number]

export function parseVersion(text: string): Version | undefined {
  const match = /^v?(\d+)\.(\d+)(?:\.(\d+))?(?:[-+].*)?$/.exec(text)
  if (match === null) return undefined
  return [Number(match[1]), Number(match[2]), Number(match[3] ?? '0')]
}

export const formatVersion = ([major, minor, patch]: Version): string => `v${major}.${minor}.${patch}`

export function atLeast(version: Version, [major, minor, patch]: Version): boolean {
  return (
    version[0] - major > 0 ||
    (version[0] === major && (version[1] > minor || (version[1] === minor && version[2] >= patch)))
  )
}

/** The version in an image's tag: `flannel/flannel:v0.27.4`, with a digest or without. */
export function imageVersion(image: string): Version | undefined {
  const tag = /:([^:/@]+)(?:@.*)?$/.exec(image)?.[1]
  return tag === undefined ? undefined : parseVersion(tag)
}
