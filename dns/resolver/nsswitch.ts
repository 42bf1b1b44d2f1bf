/** The sources of host names in the order of nsswitch.conf(5); actions in brackets are told apart from them. */
export function hostsSources(text: string | undefined): readonly string[] {
  const line = (text ?? '').split('\n').find((l) => /^\s*hosts\s*:/.test(l))
  if (line === undefined) return DEFAULT_SOURCES
  const list = (line.split('#', 1)[0] ?? '').slice(line.indexOf(':') + 1).replace(/\[[^\]]*\]/g, ' ')
  return list.split(/\s+/).filter((word) => word !== '')
}

/** nss/nss_database.c since glibc 2.33 (`dns [!UNAVAIL=return] files` before, which Debian never shipped as a file). */
const DEFAULT_SOURCES = ['files', 'dns'] as const
