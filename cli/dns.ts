import { readFileSync } from 'node:fs'
import { keyOf } from '../cluster/cluster.ts'
import type { Pod } from '../cluster/objects.ts'
import { type ResolverName, usualResolvers } from '../dns/resolver/registry.ts'
import type { Built } from '../engine/build.ts'
import { compareResolvers } from '../engine/compare-resolvers.ts'
import { askName, podOf } from '../engine/name-answer.ts'
import { planNames } from '../engine/name-plan.ts'
import { readNameQuestion, readResolver } from '../engine/name-question.ts'
import type { Probe } from '../engine/probe.ts'
import { readQueryLog, workloadOf } from '../engine/query-log.ts'
import {
  renderNameAnswerJson,
  renderNamePlansJson,
  renderResolversJson,
  type WorkloadPlan,
} from '../render/dns-json.ts'
import { renderNameAnswer } from '../render/name-answer-text.ts'
import { renderNamePlan } from '../render/name-plan-text.ts'
import { renderResolvers } from '../render/resolvers-text.ts'
import type { TextOptions } from '../render/text-options.ts'
import { EXIT, exitCodeOf } from './exit-code.ts'
import { openBuilt, type SnapshotOptions } from './snapshot.ts'
import { print, Stop } from './terminal.ts'
import { type TextChoice, textOptions, worstCode } from './trace.ts'

export interface DnsOptions extends SnapshotOptions, Omit<TextChoice, 'output'> {
  readonly from?: string
  readonly namespace: string
  readonly resolver?: string
  readonly seed: number
  readonly explain?: boolean
  readonly plan?: boolean
  readonly fromLog?: string
  readonly output: 'text' | 'wide' | 'json' | 'dig'
}

const EXAMPLE = 'for example: podwalk dns --from pod/client cn.bing.com'

/** `podwalk dns NAME [TYPE]`: what a resolver asks for a name, who answers, and what would spare queries. */
export function dns(words: readonly string[], options: DnsOptions): number {
  if (options.plan === true || options.fromLog !== undefined) return plan(words, options)
  const [name, type, extra] = words
  if (name === undefined) throw new Stop('which name? none is given', { todo: EXAMPLE })
  if (extra !== undefined)
    throw new Stop(`"${extra}" is one word too many: a name and a record type are asked for`, { todo: EXAMPLE })
  const built = openBuilt(options)
  const resolver = options.output === 'dig' ? 'dig' : (options.resolver ?? 'glibc')
  if (resolver === 'all' || resolver.includes(',')) return sideBySide(built, { name, type, resolver }, options)
  const probe = probeFor(built, { name, type, resolver }, options)
  const answer = askName(built, probe, { seed: options.seed })
  const { outcome } = answer.conversation
  if (options.output === 'dig' && 'printed' in outcome && outcome.printed !== undefined) {
    print(outcome.printed.stdout)
    return outcome.printed.exitCode === 0 ? exitCodeOf(answer.conversation) : EXIT.no
  }
  if (options.output === 'json') print(renderNameAnswerJson(answer, textHow(options).detail))
  else print(renderNameAnswer(answer, textHow(options), options.explain))
  return exitCodeOf(answer.conversation)
}

interface Asked {
  readonly name: string
  readonly type: string | undefined
  readonly resolver: string
}

function probeFor(built: Built, { name, type, resolver }: Asked, { from, namespace }: DnsOptions): Probe {
  const typed = type === undefined ? {} : { type }
  const probe = readNameQuestion(built, { from: sourceOf(from), name, namespace, resolver, ...typed })
  if (!probe.ok) throw new Stop(probe.reason, { todo: EXAMPLE })
  return probe.value
}

function sourceOf(from: string | undefined): string {
  if (from !== undefined) return from
  throw new Stop('who asks? --from is not given', { todo: EXAMPLE })
}

/** The same name in several resolvers. */
function sideBySide(built: Built, asked: Asked, options: DnsOptions): number {
  const resolvers = resolversOf(asked.resolver)
  const probe = probeFor(built, { ...asked, resolver: resolvers[0] ?? 'glibc' }, options)
  const walks = compareResolvers(built, probe, { resolvers, seed: options.seed })
  const conversations = walks.map(({ conversation }) => conversation)
  if (options.output === 'json') print(renderResolversJson(asked.name, walks, textHow(options).detail))
  else print(renderResolvers(`${asked.name} from ${probe.from.label}`, walks, textHow(options)))
  return worstCode(conversations)
}

function resolversOf(text: string): readonly ResolverName[] {
  if (text === 'all') return usualResolvers
  return text.split(',').map((name) => {
    const found = readResolver(name.trim())
    if (!found.ok) throw new Stop(found.reason, { todo: 'for example: --resolver glibc,musl or --resolver all' })
    return found.value
  })
}

const textHow = ({ output, ...options }: DnsOptions): TextOptions =>
  textOptions({ ...options, output: output === 'wide' ? 'wide' : 'text' })

// ------------------------------------------------------------------------------------------------ the planner

/** Libraries that programs use; tools ask by rules of their own. */
const PLANNED = 'glibc,musl,go'

/** `--plan NAME...` and `--from-log FILE`: the ndots that costs least and breaks nothing. */
function plan(names: readonly string[], options: DnsOptions): number {
  const built = openBuilt(options)
  const resolvers = resolversOf(options.resolver ?? PLANNED)
  const asked = options.fromLog === undefined ? [listed(built, names, options)] : logged(built, options.fromLog)
  const plans: WorkloadPlan[] = []
  for (const { workload, pod, names } of asked) {
    const planned = planNames(built, pod, { names, resolvers })
    if (planned === undefined)
      throw new Stop('the cluster has no CoreDNS pod that runs', {
        todo: 'put its Deployment (or its pods) and its ConfigMap into the input',
        code: EXIT.unknown,
      })
    plans.push({ workload, plan: planned })
  }
  if (options.output === 'json') print(renderNamePlansJson(plans))
  else print(plans.map(({ workload, plan }) => renderNamePlan(workload, plan, textHow(options))).join('\n'))
  return EXIT.yes
}

interface Workload {
  readonly workload: string
  readonly pod: Pod
  readonly names: readonly string[]
}

function listed(built: Built, names: readonly string[], options: DnsOptions): Workload {
  const [first] = names
  if (first === undefined)
    throw new Stop('which names? none is given', { todo: 'podwalk dns --from pod/client --plan NAME NAME' })
  const probes = names.map((name) => probeFor(built, { name, type: undefined, resolver: 'glibc' }, options))
  const pod = probes[0] === undefined ? undefined : podOf(built.cluster, probes[0])
  if (pod === undefined)
    throw new Stop(`--from ${options.from ?? ''} is no pod: only pods have a dnsConfig`, {
      todo: 'choose --from pod/NAME',
    })
  return { workload: workloadOf(pod), pod, names }
}

function logged(built: Built, path: string): readonly Workload[] {
  const { asked, lines, strangers } = readQueryLog(built.cluster, readLog(path), searchOf(built))
  if (lines === 0)
    throw new Stop(`${path} has no line of CoreDNS's log plugin`, {
      todo: 'kubectl logs -n kube-system -l k8s-app=kube-dns --tail=-1, with `log` in the Corefile',
    })
  if (asked.length === 0)
    throw new Stop(`none of the ${strangers} queries in ${path} is from a pod of the input`, {
      todo: 'take snapshot and log from the same cluster at the same time',
    })
  return asked
}

function readLog(path: string): string {
  try {
    return readFileSync(path === '-' ? 0 : path, 'utf8')
  } catch (error) {
    throw new Stop(`${path} cannot be read: ${(error as Error).message}`, { todo: 'give the path of a CoreDNS log' })
  }
}

/** The search list of a pod: of its file, as a program sees it. */
const searchOf =
  (built: Built) =>
  (pod: Pod): readonly string[] => {
    const probe = readNameQuestion(built, { from: `pod/${keyOf(pod.meta)}`, name: 'x' })
    const text = probe.ok ? resolvConfOf(built, probe.value) : ''
    return /^search\s+(.*)$/m.exec(text)?.[1]?.split(/\s+/) ?? []
  }

const resolvConfOf = (built: Built, { from }: Probe): string =>
  built.blueprint.hosts.get(from.host)?.().netns.get(from.netns)?.files.get(`${from.root}/etc/resolv.conf`) ?? ''
