import { expect, test, vi } from 'vitest'
import { podwalk } from './run-podwalk.ts'

vi.mock('../../engine/ask.ts', () => ({
  ask: () => {
    throw new Error('the walk fell over')
  },
  askAll: () => [],
}))

test('our own fault: 70, it says whose fault it is, where, and what to do', () => {
  const ran = podwalk('trace', '--from', 'pod/client', '--to', 'svc/my-nginx:80')
  expect(ran.code).toBe(70)
  expect(ran.out).toBe('')
  expect(ran.err).toContain('This is a fault of podwalk, not of the input.')
  expect(ran.err).toContain('the walk fell over')
  expect(ran.err).toContain('fault.test.ts')
  expect(ran.err).toMatch(/\n {2}do: report it/)
})
