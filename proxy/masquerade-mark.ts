/** The packet mark that asks for masquerading, as kube-proxy writes it: Go's `%#08x`, `0x00004000`. */
export const masqueradeMark = (bit: number): string => `0x${(2 ** bit).toString(16).padStart(8, '0')}`
