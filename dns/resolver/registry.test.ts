import { describe, expect, it } from 'vitest'
import { resolverNamed, resolverNames, resolvers } from './registry.ts'

describe('names of resolvers', () => {
  it.each(resolverNames)('%s is what it calls itself, and says what it is', (name) => {
    expect(resolvers[name].name).toBe(name)
    expect(resolvers[name].about.length).toBeGreaterThan(20)
    expect(resolverNamed(name.toUpperCase())).toBe(name)
  })

  it.each([
    ['glibc-2.36', 'glibc'],
    ['alpine', 'musl'],
    ['dig+search', 'dig-search'],
    ['nosuch', undefined],
    ['constructor', undefined],
  ])('%s is %s', (text, name) => expect(resolverNamed(text)).toBe(name))
})
