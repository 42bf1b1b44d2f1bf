import { describe, expect, it } from 'vitest'
import { documents, found, foundLines, podLine, serviceLine } from '../testing/diagnose-text.ts'

const CODES = ['policy-service-port', 'policy-selects-nothing']
const policy = (spec: string) =>
  `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: np, namespace: default}, spec: {${spec}}}`
const S = serviceLine('s', { ports: '[{port: 443, targetPort: http}]' })
const SAID =
  "NetworkPolicy default/np allows port 443, the port of Service default/s; a policy sees the pods' own, 8080"

describe('a policy that names a port', () => {
  it.each([
    ['of the pods', 'podSelector: {matchLabels: {app: x}}, ingress: [{ports: [{port: 8080}]}]', []],
    [
      'of the Service',
      'podSelector: {matchLabels: {app: x}}, ingress: [{ports: [{port: 443}]}]',
      [`warning:1 policy-service-port ${SAID}`],
    ],
    ['by name', 'podSelector: {matchLabels: {app: x}}, ingress: [{ports: [{port: http}]}]', []],
    [
      'of another protocol',
      'podSelector: {matchLabels: {app: x}}, ingress: [{ports: [{port: 443, protocol: UDP}]}]',
      [],
    ],
    [
      'of a range that has both',
      'podSelector: {matchLabels: {app: x}}, ingress: [{ports: [{port: 400, endPort: 9000}]}]',
      [],
    ],
    [
      "of a range without the pods' own",
      'podSelector: {matchLabels: {app: x}}, ingress: [{ports: [{port: 443, endPort: 500}]}]',
      [`warning:1 policy-service-port ${SAID}`],
    ],
    ['that no Service has', 'podSelector: {matchLabels: {app: x}}, ingress: [{ports: [{port: 444}]}]', []],
    [
      'of the Service, towards its pods',
      'podSelector: {}, policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app: x}}}], ports: [{port: 443}]}]',
      [`warning:1 policy-service-port ${SAID}`],
    ],
    [
      'towards a namespace',
      'podSelector: {}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: default}}}], ports: [{port: 443}]}]',
      [`warning:1 policy-service-port ${SAID}`],
    ],
    [
      'towards another namespace',
      'podSelector: {}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {matchLabels: {a: b}}}], ports: [{port: 443}]}]',
      [],
    ],
    [
      'towards addresses',
      'podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0}}], ports: [{port: 443}]}]',
      [],
    ],
    [
      'but selects nobody',
      'podSelector: {matchLabels: {app: z}}, ingress: [{ports: [{port: 443}]}]',
      ['note:1 policy-selects-nothing NetworkPolicy default/np selects no pod'],
    ],
  ])('%s', (_, spec, expected) =>
    expect(foundLines(documents(policy(spec), S, podLine('p')), ...CODES)).toEqual(expected),
  )

  it('stands at the port', () => {
    const text = `apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: np}\nspec:\n  podSelector: {}\n  ingress:\n  - ports:\n    - port: 443\n---\n${documents(S, podLine('p'))}`
    expect(found(text, ...CODES)[0]!.at!.line).toBe(8)
    expect(found(text, ...CODES)[0]!.suggestion).toBe('write port: 8080')
  })
})
