import { nearest } from '../cluster/nearest.ts'
import { type ResolverName, resolverNamed, resolverNames } from '../dns/resolver/registry.ts'
import { type Parsed, parsed, refused } from '../packet/parsed.ts'
import type { Built } from './build.ts'
import type { Probe } from './probe.ts'
import { readSource } from './question.ts'

/** A name that somebody looks up. */
export interface NameQuestion {
  readonly from: string
  readonly name: string
  /** Of a source without one; `default` unless said. */
  readonly namespace?: string
  /** `glibc` unless said. */
  readonly resolver?: string
  /** The record type that a tool is told to ask for; addresses unless said. */
  readonly type?: string
}

/** Turns the question into a probe that ends with the lookup, or says what is wrong with it. */
export function readNameQuestion(built: Built, question: NameQuestion): Parsed<Probe> {
  const source = readSource(built, question.from, question.namespace)
  if (!source.ok) return source
  const { name, resolver, type } = question
  if (name === '' || /[\s/]/.test(name))
    return refused(`"${name}" is no DNS name: give it as a program would, for example my-nginx or cn.bing.com.`)
  const library = readResolver(resolver ?? 'glibc')
  if (!library.ok) return library
  const recordType = type?.toUpperCase()
  return parsed({
    kind: 'resolve',
    from: source.value,
    target: { name, port: 0, label: name },
    payload: '',
    resolver: library.value,
    ...(recordType === undefined ? {} : { recordType }),
  })
}

/** A resolver by name or alias. */
export function readResolver(name: string): Parsed<ResolverName> {
  const known = resolverNamed(name)
  if (known !== undefined) return parsed(known)
  const near = nearest(name, resolverNames)
  return refused(
    `--resolver: "${name}" is not known; ${near === undefined ? '' : `did you mean ${near}? `}known are ${resolverNames.join(', ')}`,
  )
}
