import type { IpvsChange } from '../linux/ipvs/service-change.ts'
import { ipvsLine, serverOption, serviceOption } from './ipvsadm-save.ts'

/** What ipvsadm(8) would be told. */
export function ipvsChangeText(change: IpvsChange): string {
  const { service } = change
  switch (change.kind) {
    case 'addService':
      return `ipvsadm ${ipvsLine({ kind: 'ipvs.service', service })}`
    case 'editService':
      return `ipvsadm ${ipvsLine({ kind: 'ipvs.service', service }).replace(/^-A/, '-E')}`
    case 'deleteService':
      return `ipvsadm -D ${serviceOption(service)}`
    case 'addServer':
      return `ipvsadm ${ipvsLine({ kind: 'ipvs.destination', service, destination: change.server })}`
    case 'setWeight':
      return `ipvsadm -e ${serviceOption(service)} ${serverOption(change.server)} -w ${change.weight}`
    case 'deleteServer':
      return `ipvsadm -d ${serviceOption(service)} ${serverOption(change.server)}`
    default:
      return change satisfies never
  }
}
