import { expect, it } from 'vitest'
import { namesOfHosts, namesOnHost } from './netns-name.ts'

it('machines keep their names, pods follow the name of their machine', () => {
  const name = namesOfHosts([{ name: 'node1', netns: ['root', 'shop/web-0'] }])
  expect([name('node1', 'root'), name('node1', 'shop/web-0'), name('node1', 'other')]).toEqual([
    'node1',
    'node1-shop-web-0',
    undefined,
  ])
})

it('names that would be the same are told apart, in the order given', () => {
  const name = namesOfHosts([
    { name: 'a', netns: ['root', 'b-c/d', 'b/c-d'] },
    { name: 'a-b-c-d', netns: ['root'] },
  ])
  const all = [name('a', 'root'), name('a-b-c-d', 'root'), name('a', 'b-c/d'), name('a', 'b/c-d')]
  expect(all).toEqual(['a', 'a-b-c-d', 'a-b-c-d-2', 'a-b-c-d-3'])
})

it('on one machine the root namespace is the one the shell is in', () => {
  const name = namesOnHost(['root', 'shop/web-0', '.hidden'])
  expect([name('root'), name('shop/web-0'), name('.hidden')]).toEqual([undefined, 'shop-web-0', '-hidden'])
})
