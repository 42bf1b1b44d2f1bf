/** Pods as an API server prints them, of the size that a real one has: about 20 kB of indented JSON. */
export function syntheticPod(i: number): Record<string, unknown> {
  const node = `node-${i % 500}`
  const name = `web-${(i % 997).toString(36)}-${(i * 2654435761).toString(16)}`
  const ip = `10.${244 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`
  const time = `2026-11-${10 + (i % 20)}T0${i % 10}:12:33Z`
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      annotations: {
        'kubectl.kubernetes.io/restartedAt': time,
        'prometheus.io/scrape': 'true',
        'prometheus.io/port': '9102',
        'checksum/config': `${(i * 7919).toString(16).padStart(64, 'a')}`,
      },
      creationTimestamp: time,
      generateName: `web-${(i % 997).toString(36)}-`,
      labels: {
        app: `web-${i % 997}`,
        'app.kubernetes.io/instance': `web-${i % 997}`,
        'app.kubernetes.io/version': '1e57',
        'pod-template-hash': (i % 997).toString(36),
        tier: i % 2 === 0 ? 'front' : 'back',
      },
      name,
      namespace: `team-${i % 40}`,
      ownerReferences: [
        {
          apiVersion: 'apps/v1',
          blockOwnerDeletion: true,
          controller: true,
          kind: 'ReplicaSet',
          name: `web-${(i % 997).toString(36)}`,
          uid: uid(i % 997),
        },
      ],
      resourceVersion: String(1_000_000 + i),
      uid: uid(i + 5000),
    },
    spec: {
      containers: ['app', 'sidecar'].map((container, k) => ({
        args: ['--listen=:8080', '--log-level=info', `--shard=${i}`],
        command: ['/bin/server'],
        env: Array.from({ length: 12 }, (_, n) =>
          n % 3 === 0
            ? { name: `SETTING_${n}`, valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.name' } } }
            : { name: `SETTING_${n}`, value: `value-${n}-of-${container}` },
        ),
        image: `registry.example.com/team/${container}:v1.${i % 50}.${k}`,
        imagePullPolicy: 'IfNotPresent',
        name: container,
        ports: [
          { containerPort: 8080 + k, name: `http-${k}`, protocol: 'TCP' },
          { containerPort: 9102 + k, name: `metrics-${k}`, protocol: 'TCP' },
        ],
        readinessProbe: probe('/ready'),
        resources: { limits: { cpu: '500m', memory: '512Mi' }, requests: { cpu: '100m', memory: '128Mi' } },
        terminationMessagePath: '/dev/termination-log',
        terminationMessagePolicy: 'File',
        volumeMounts: ['config', 'kube-api-access'].map((volume) => ({
          mountPath: `/var/run/${volume}`,
          name: volume,
          readOnly: true,
        })),
      })),
      dnsPolicy: 'ClusterFirst',
      enableServiceLinks: true,
      nodeName: node,
      preemptionPolicy: 'PreemptLowerPriority',
      priority: 0,
      restartPolicy: 'Always',
      schedulerName: 'default-scheduler',
      securityContext: { fsGroup: 1000 },
      serviceAccount: 'default',
      serviceAccountName: 'default',
      terminationGracePeriodSeconds: 30,
      tolerations: ['not-ready', 'unreachable'].map((taint) => ({
        effect: 'NoExecute',
        key: `node.kubernetes.io/${taint}`,
        operator: 'Exists',
        tolerationSeconds: 300,
      })),
      volumes: ['config', 'kube-api-access'].map((volume) => ({
        name: volume,
        projected: {
          defaultMode: 420,
          sources: [
            { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
            {
              downwardAPI: {
                items: [{ fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' }, path: 'namespace' }],
              },
            },
          ],
        },
      })),
    },
    status: {
      conditions: ['PodReadyToStartContainers', 'Initialized', 'Ready', 'ContainersReady', 'PodScheduled'].map(
        (type) => ({
          lastProbeTime: null,
          lastTransitionTime: time,
          observedGeneration: 1,
          status: 'True',
          type,
        }),
      ),
      containerStatuses: ['app', 'sidecar'].map((container, k) => ({
        containerID: `containerd://${(i * 31 + k).toString(16).padStart(64, '0')}`,
        image: `registry.example.com/team/${container}:v1.${i % 50}.${k}`,
        imageID: `registry.example.com/team/${container}@sha256:${(i % 50).toString(16).padStart(64, 'f')}`,
        lastState: {},
        name: container,
        ready: true,
        restartCount: 0,
        started: true,
        state: { running: { startedAt: time } },
      })),
      hostIP: `192.168.${(i % 500) >> 8}.${(i % 500) & 255}`,
      hostIPs: [{ ip: `192.168.${(i % 500) >> 8}.${(i % 500) & 255}` }],
      observedGeneration: 1,
      phase: 'Running',
      podIP: ip,
      podIPs: [{ ip }],
      qosClass: 'Burstable',
      startTime: time,
    },
  }
}

const uid = (i: number): string => {
  const hex = (BigInt(i) * 0x9e3779b97f4a7c15f39cc0605cedc835n).toString(16).padStart(32, '0').slice(-32)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

const probe = (path: string) => ({
  failureThreshold: 3,
  httpGet: { path, port: 'http-0', scheme: 'HTTP' },
  periodSeconds: 10,
  successThreshold: 1,
  timeoutSeconds: 1,
})
