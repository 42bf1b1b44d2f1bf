/**
 * Frames that Linux 6.18 sent between network namespaces over veth, with checksum offload off, as tcpdump took them
 * down; `layers` is what they say in our words, checked against tcpdump's reading.
 */
export interface Capture {
  readonly name: string
  readonly layers: readonly string[]
  readonly hex: string
}

export const CAPTURES: readonly Capture[] = [
  {
    name: 'ARP request',
    layers: ['Ethernet 02:00:00:00:0a:01 > ff:ff:ff:ff:ff:ff', 'ARP who-has 10.1.1.254 tell 10.1.1.1'],
    hex: 'ffffffffffff020000000a0108060001080006040001020000000a010a0101010000000000000a0101fe',
  },
  {
    name: 'ARP reply',
    layers: ['Ethernet 02:00:00:00:0a:02 > 02:00:00:00:0a:01', 'ARP 10.1.1.254 is-at 02:00:00:00:0a:02'],
    hex: '020000000a01020000000a0208060001080006040002020000000a020a0101fe020000000a010a010101',
  },
  {
    name: 'duplicate address detection',
    layers: [
      'Ethernet 02:00:00:00:0a:01 > 33:33:ff:00:0a:01',
      'IPv6 :: > ff02::1:ff00:a01 hlim 255',
      'ICMPv6 135/0 neighbor solicitation, who has fe80::ff:fe00:a01',
    ],
    hex:
      '3333ff000a01020000000a0186dd6000000000203aff00000000000000000000000000000000ff020000000000000000' +
      '0001ff000a018700785700000000fe80000000000000000000fffe000a010e0167c9c6cbb42f',
  },
  {
    name: 'neighbor solicitation',
    layers: [
      'Ethernet 02:00:00:00:0a:01 > 33:33:ff:00:00:fe',
      'IPv6 fd01::1 > ff02::1:ff00:fe hlim 255',
      'ICMPv6 135/0 neighbor solicitation, who has fd01::fe',
    ],
    hex:
      '3333ff0000fe020000000a0186dd6000000000203afffd010000000000000000000000000001ff020000000000000000' +
      '0001ff0000fe8700719d00000000fd0100000000000000000000000000fe0101020000000a01',
  },
  {
    name: 'neighbor advertisement',
    layers: [
      'Ethernet 02:00:00:00:0a:02 > 02:00:00:00:0a:01',
      'IPv6 fd01::fe > fd01::1 hlim 255',
      'ICMPv6 136/0 neighbor advertisement, fd01::fe is at 02:00:00:00:0a:02',
    ],
    hex:
      '020000000a01020000000a0286dd6000000000203afffd0100000000000000000000000000fefd010000000000000000' +
      '0000000000018800909ee0000000fd0100000000000000000000000000fe0201020000000a02',
  },
  {
    name: 'neighbor advertisement without an address',
    layers: [
      'Ethernet 02:00:00:00:0a:01 > 02:00:00:00:0a:02',
      'IPv6 fd01::1 > fe80::ff:fe00:a02 hlim 255',
      'ICMPv6 136/0 neighbor advertisement, fd01::1',
    ],
    hex:
      '020000000a02020000000a0186dd6000000000183afffd010000000000000000000000000001fe800000000000000000' +
      '00fffe000a028800362440000000fd010000000000000000000000000001',
  },
  {
    name: 'router solicitation',
    layers: [
      'Ethernet 02:00:00:00:0a:01 > 33:33:00:00:00:02',
      'IPv6 fe80::ff:fe00:a01 > ff02::2 hlim 255',
      'ICMPv6 133/0 router solicitation, 12 bytes',
    ],
    hex:
      '333300000002020000000a0186dd6000000000103afffe80000000000000000000fffe000a01ff020000000000000000' +
      '0000000000028500672c000000000101020000000a01',
  },
  {
    name: 'multicast listener report behind a hop-by-hop header',
    layers: [
      'Ethernet 02:00:00:00:0a:02 > 33:33:00:00:00:16',
      'IPv6 fe80::ff:fe00:a02 > ff02::16 hlim 1',
      'protocol 0, 36 bytes',
    ],
    hex:
      '333300000016020000000a0286dd6000000000240001fe80000000000000000000fffe000a02ff020000000000000000' +
      '0000000000163a000502000001008f0068070000000104000000ff0200000000000000000001ff000000',
  },
  {
    name: 'echo request',
    layers: [
      'Ethernet 02:00:00:00:0a:01 > 02:00:00:00:0a:02',
      'IPv4 10.1.1.1 > 10.2.2.2 ttl 64',
      'ICMP 8/0 echo request id 16502 seq 1',
    ],
    hex:
      '020000000a02020000000a010800450000541610000040014d940a0101010a0202020800c07540760001000102030405' +
      '060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435' +
      '3637',
  },
  {
    name: 'echo reply over IPv6',
    layers: [
      'Ethernet 02:00:00:00:0a:02 > 02:00:00:00:0a:01',
      'IPv6 fd02::2 > fd01::1 hlim 63',
      'ICMPv6 129/0 echo reply id 16543 seq 1',
    ],
    hex:
      '020000000a01020000000a0286dd600d5ad200403a3ffd020000000000000000000000000002fd010000000000000000' +
      '00000000000181004cca409f0001000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021' +
      '22232425262728292a2b2c2d2e2f3031323334353637',
  },
  {
    name: 'last fragment',
    layers: [
      'Ethernet 02:00:00:00:0a:01 > 02:00:00:00:0a:02',
      'IPv4 10.1.1.1 > 10.2.2.2 ttl 64 fragment id 5737 offset 2960',
      'ICMP, 48 bytes of a fragment',
    ],
    hex:
      '020000000a02020000000a010800450000441669017240014bd90a0101010a02020288898a8b8c8d8e8f909192939495' +
      '969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7',
  },
  {
    name: 'last IPv6 fragment',
    layers: [
      'Ethernet 02:00:00:00:0a:01 > 02:00:00:00:0a:02',
      'IPv6 fd01::1 > fd02::2 hlim 64 fragment id 3088102391 offset 2896',
      'ICMPv6, 112 bytes of a fragment',
    ],
    hex:
      '020000000a02020000000a0186dd600297c200782c40fd010000000000000000000000000001fd020000000000000000' +
      '0000000000023a000b50b810b3f748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f60616263646566676869' +
      '6a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f90919293949596979899' +
      '9a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7',
  },
  {
    name: 'TTL exceeded',
    layers: [
      'Ethernet 02:00:00:00:0a:02 > 02:00:00:00:0a:01',
      'IPv4 10.1.1.254 > 10.1.1.1 ttl 64',
      'ICMP 11/0 ttl exceeded in transit',
      'about 10.1.1.1 > 10.2.2.2 ICMP 8/0 echo request id 16666 seq 1',
    ],
    hex:
      '020000000a01020000000a02080045c00070a37800004001bf540a0101fe0a0101010b00f4ff000000004500005416fa' +
      '000001018baa0a0101010a0202020800bfd1411a0001000102030405060708090a0b0c0d0e0f10111213141516171819' +
      '1a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637',
  },
  {
    name: 'hop limit exceeded',
    layers: [
      'Ethernet 02:00:00:00:0a:02 > 02:00:00:00:0a:01',
      'IPv6 fd01::fe > fd01::1 hlim 64',
      'ICMPv6 3/0 hop limit exceeded in transit',
      'about fd01::1 > fd02::2 ICMPv6 128/0 echo request id 16707 seq 1',
    ],
    hex:
      '020000000a01020000000a0286dd60087efe00703a40fd0100000000000000000000000000fefd010000000000000000' +
      '0000000000010300cfc600000000600297c200403a01fd010000000000000000000000000001fd020000000000000000' +
      '00000000000280004d2641430001000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021' +
      '22232425262728292a2b2c2d2e2f3031323334353637',
  },
  {
    name: 'fragmentation needed, quoting 548 octets',
    layers: [
      'Ethernet 02:00:00:00:0a:02 > 02:00:00:00:0a:01',
      'IPv4 10.1.1.254 > 10.1.1.1 ttl 64',
      'ICMP 3/4 fragmentation needed, mtu 1400',
      'about 10.1.1.1 > 10.2.2.2 ICMP, 528 of 1480 bytes',
    ],
    hex:
      '020000000a01020000000a02080045c00240a40900004001bcf30a0101fe0a0101010304f05600000578450005dc0000' +
      '400040011e1c0a0101010a020202080030b241ea0001000102030405060708090a0b0c0d0e0f10111213141516171819' +
      '1a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f40414243444546474849' +
      '4a4b4c4d4e4f505152535455565758595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f70717273747576777879' +
      '7a7b7c7d7e7f808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9' +
      'aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9' +
      'dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff00010203040506070809' +
      '0a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f30313233343536373839' +
      '3a3b3c3d3e3f404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f60616263646566676869' +
      '6a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f90919293949596979899' +
      '9a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9' +
      'cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9' +
      'fafbfcfdfeff0001020304050607',
  },
  {
    name: 'TCP SYN',
    layers: [
      'Ethernet 02:00:00:00:0a:01 > 02:00:00:00:0a:02',
      'IPv4 10.1.1.1 > 10.2.2.2 ttl 64',
      'TCP 32858 > 80 [SYN]',
    ],
    hex:
      '020000000a02020000000a0108004500003c35e540004006edd10a0101010a020202805a0050950cfcb500000000a002' +
      'ff00ec4e0000020405500402080a7611bd8d000000000103030a',
  },
  {
    name: 'TCP SYN ACK over IPv6',
    layers: [
      'Ethernet 02:00:00:00:0a:02 > 02:00:00:00:0a:01',
      'IPv6 fd02::2 > fd01::1 hlim 63',
      'TCP 80 > 52236 [SYN, ACK]',
    ],
    hex:
      '020000000a01020000000a0286dd600139eb0028063ffd020000000000000000000000000002fd010000000000000000' +
      '0000000000010050cc0c5e516501519df7c0a012fb0465700000020405a00402080a38e05c7e84b1fa660103030a',
  },
  {
    name: 'TCP data',
    layers: [
      'Ethernet 02:00:00:00:0a:01 > 02:00:00:00:0a:02',
      'IPv4 10.1.1.1 > 10.2.2.2 ttl 64',
      'TCP 32858 > 80 [PSH, ACK] 5 bytes',
    ],
    hex:
      '020000000a02020000000a0108004500003935e740004006edd20a0101010a020202805a0050950cfcb68121b8778018' +
      '0040be5700000101080a7611bd8d32f0aaaa68656c6c6f',
  },
  {
    name: 'TCP RST',
    layers: [
      'Ethernet 02:00:00:00:0a:02 > 02:00:00:00:0a:01',
      'IPv4 10.2.2.2 > 10.1.1.1 ttl 63',
      'TCP 81 > 53140 [RST, ACK]',
    ],
    hex:
      '020000000a01020000000a02080045000028000040003f0624cb0a0202020a0101010051cf940000000017916d575014' +
      '000043fd0000',
  },
  {
    name: 'UDP',
    layers: [
      'Ethernet 02:00:00:00:0a:01 > 02:00:00:00:0a:02',
      'IPv4 10.1.1.1 > 10.2.2.2 ttl 64',
      'UDP 40347 > 53, 3 bytes',
    ],
    hex: '020000000a02020000000a0108004500001f19e84000401109e10a0101010a0202029d9b0035000b7e8e61736b',
  },
  {
    name: 'UDP over IPv6',
    layers: [
      'Ethernet 02:00:00:00:0a:01 > 02:00:00:00:0a:02',
      'IPv6 fd01::1 > fd02::2 hlim 64',
      'UDP 54007 > 53, 3 bytes',
    ],
    hex:
      '020000000a02020000000a0186dd6004517d000b1140fd010000000000000000000000000001fd020000000000000000' +
      '000000000002d2f70035000b663061736b',
  },
  {
    name: 'port unreachable',
    layers: [
      'Ethernet 02:00:00:00:0a:02 > 02:00:00:00:0a:01',
      'IPv4 10.2.2.2 > 10.1.1.1 ttl 63',
      'ICMP 3/3 port unreachable',
      'about 10.1.1.1:40534 > 10.2.2.2:5353 UDP, 6 bytes',
    ],
    hex:
      '020000000a01020000000a02080045c0003e1a2800003f0149d20a0202020a0101010303142200000000450000227e65' +
      '40003f11a6600a0101010a0202029e5614e9000e00356e6f626f6479',
  },
  {
    name: 'port unreachable over IPv6',
    layers: [
      'Ethernet 02:00:00:00:0a:02 > 02:00:00:00:0a:01',
      'IPv6 fd02::2 > fd01::1 hlim 63',
      'ICMPv6 1/4 port unreachable',
      'about [fd01::1]:35582 > [fd02::2]:5353 UDP, 6 bytes',
    ],
    hex:
      '020000000a01020000000a0286dd6003bdaf003e3a3ffd020000000000000000000000000002fd010000000000000000' +
      '00000000000101049617000000006006fd2f000e113ffd010000000000000000000000000001fd020000000000000000' +
      '0000000000028afe14e9000e308b6e6f626f6479',
  },
  {
    name: 'redirect',
    layers: [
      'Ethernet 02:00:00:00:0d:01 > 02:00:00:00:0a:01',
      'IPv4 10.1.1.254 > 10.1.1.1 ttl 64',
      'ICMP 5/1 redirect host to 10.1.1.2',
      'about 10.1.1.1 > 10.9.9.9 ICMP 8/0 echo request id 18008 seq 1',
    ],
    hex:
      '020000000a01020000000d01080045c00075db330000400187940a0101fe0a0101010501effb0a01010245000059089e' +
      '00003f0154f30a0101010a09090908000c1f46580001000102030405060708090a0b0c0d0e0f10111213141516171819' +
      '1a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c',
  },
  {
    name: 'IPv6 redirect',
    layers: [
      'Ethernet 02:00:00:00:0d:01 > 02:00:00:00:0a:01',
      'IPv6 fe80::ff:fe00:d01 > fd01::1 hlim 255',
      'ICMPv6 137/0 redirect to fe80::ff:fe00:b01',
      'about fd01::1 > fd09::9 ICMPv6, 64 of 69 bytes',
    ],
    hex:
      '020000000a01020000000d0186dd6000000000a03afffe80000000000000000000fffe000d01fd010000000000000000' +
      '0000000000018900cb8b00000000fe80000000000000000000fffe000b01fd0900000000000000000000000000090201' +
      '020000000b01040e00000000000060029edb00453a40fd010000000000000000000000000001fd090000000000000000' +
      '0000000000098000996046810001000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021' +
      '22232425262728292a2b2c2d2e2f3031323334353637',
  },
  {
    name: 'VXLAN carrying ARP',
    layers: [
      'Ethernet 02:00:00:00:0a:01 > 02:00:00:00:0a:02',
      'IPv4 10.1.1.1 > 10.2.2.2 ttl 64',
      'UDP 52408 > 8472',
      'VXLAN vni 1',
      'Ethernet 02:00:00:00:0c:01 > ff:ff:ff:ff:ff:ff',
      'ARP who-has 10.244.0.2 tell 10.244.0.1',
    ],
    hex:
      '020000000a02020000000a0108004500004e079c000040115bfe0a0101010a020202ccb82118003aa9aa080000000000' +
      '0100ffffffffffff020000000c0108060001080006040001020000000c010af400010000000000000af40002',
  },
  {
    name: 'VXLAN carrying an echo request',
    layers: [
      'Ethernet 02:00:00:00:0a:01 > 02:00:00:00:0a:02',
      'IPv4 10.1.1.1 > 10.2.2.2 ttl 64',
      'UDP 39857 > 8472',
      'VXLAN vni 1',
      'Ethernet 02:00:00:00:0c:01 > 02:00:00:00:0c:02',
      'IPv4 10.244.0.1 > 10.244.0.2 ttl 64',
      'ICMP 8/0 echo request id 17348 seq 1',
    ],
    hex:
      '020000000a02020000000a01080045000086079d000040115bc50a0101010a0202029bb121180072fe37080000000000' +
      '0100020000000c02020000000c01080045000054e869000040017c550af400010af400020800bd2743c4000100010203' +
      '0405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f30313233' +
      '34353637',
  },
]

/** The octets of the capture of that name. */
export function captured(name: string): Uint8Array {
  const capture = CAPTURES.find((row) => row.name === name)
  if (capture === undefined) throw new Error(`no capture is named "${name}"`)
  return octetsOf(capture.hex)
}

/** Hexadecimal digits to octets; blanks do not count. */
export function octetsOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.replaceAll(/\s/g, '').match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
}
