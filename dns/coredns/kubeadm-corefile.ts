import { corefileCachesCluster } from '../versions.ts'

/**
 * The Corefile that kubeadm writes into ConfigMap kube-system/coredns (cmd/kubeadm/app/phases/addons/dns/manifests.go):
 * what a cluster most likely has where no ConfigMap says it.
 */
export function kubeadmCorefile(kubernetesVersion: string, dnsDomain: string): string {
  const cache = corefileCachesCluster(kubernetesVersion)
    ? '    cache 30\n'
    : `    cache 30 {
       disable success ${dnsDomain}
       disable denial ${dnsDomain}
    }
`
  return `.:53 {
    errors
    health {
       lameduck 5s
    }
    ready
    kubernetes ${dnsDomain} in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    prometheus :9153
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
${cache}    loop
    reload
    loadbalance
}
`
}
