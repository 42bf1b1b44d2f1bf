import { ROOT_NETNS } from '../linux/op.ts'

/** What a model's network namespace is called on a real machine; undefined is the namespace the shell stands in. */
export type NetnsName = (netns: string) => string | undefined

/** One machine by itself, seen from its own shell: `root` is where one is, `shop/web-0` is `shop-web-0`. */
export function namesOnHost(netns: readonly string[]): NetnsName {
  const names = unique(netns.filter((one) => one !== ROOT_NETNS).map((one) => [one, fileName(one)]))
  return (one) => names.get(one)
}

/**
 * Many machines as namespaces of one kernel: `root` of node1 is `node1`, `shop/web-0` on node1 is
 * `node1-shop-web-0`. A name that is taken gets `-2`, `-3`, ... in the order given, so the mapping is one to one.
 * The key of the result is `HOST NETNS`.
 */
export function namesOfHosts(
  hosts: readonly { readonly name: string; readonly netns: readonly string[] }[],
): HostNames {
  const roots = hosts.map((host): [string, string] => [key(host.name, ROOT_NETNS), fileName(host.name)])
  const pods = hosts.flatMap((host) =>
    host.netns
      .filter((netns) => netns !== ROOT_NETNS)
      .map((netns): [string, string] => [key(host.name, netns), `${fileName(host.name)}-${fileName(netns)}`]),
  )
  const names = unique([...roots, ...pods])
  return (host, netns) => names.get(key(host, netns))
}

export type HostNames = (host: string, netns: string) => string | undefined

const key = (host: string, netns: string): string => `${host} ${netns}`

/** ip-netns(8) names are file names: no slash, and no dot at the head. */
function fileName(text: string): string {
  return text.replaceAll('/', '-').replace(/^\./, '-')
}

function unique(wanted: readonly (readonly [string, string])[]): Map<string, string> {
  const taken = new Set<string>()
  const names = new Map<string, string>()
  for (const [id, name] of wanted) {
    if (names.has(id)) continue
    let free = name
    for (let n = 2; taken.has(free); n++) free = `${name}-${n}`
    taken.add(free)
    names.set(id, free)
  }
  return names
}
