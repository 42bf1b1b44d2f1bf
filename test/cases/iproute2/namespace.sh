#!/bin/bash
# What the printers of render/ are held to: run as root with `unshare -n bash namespace.sh > namespace.txt`
# (iproute2 6.1.0, Linux 6.18). Taken out of the output afterwards: anycast routes, the tun device's random
# link-local address, dynamic neighbours, the word nodad, which the model has not.
ip netns add default-web-0
ip link set lo up
ip link add x address 52:54:00:00:00:02 type veth peer name ens33 address 52:54:00:00:00:01
ip link set x up; ip link set ens33 up; ip addr add 192.168.40.181/24 brd + dev ens33;  ip addr add 192.168.40.190/24 brd + dev ens33 noprefixroute; sleep 0.3
ip route add default via 192.168.40.2 proto static metric 100
ip link add flannel.1 address 1e:57:a2:00:00:81 mtu 1450 type vxlan id 1 local 192.168.40.181 dev ens33 dstport 8472 nolearning
ip addr add 10.244.1.0/32 dev flannel.1; ip link set flannel.1 up
for i in 0 2; do ip neigh replace 10.244.$i.0 lladdr 1e:57:a2:00:00:8$i dev flannel.1 nud permanent; bridge fdb append 1e:57:a2:00:00:8$i dev flannel.1 dst 192.168.50.18$i self permanent; ip route replace 10.244.$i.0/24 via 10.244.$i.0 dev flannel.1 onlink; done
ip link add cni0 address 12:00:00:00:00:01 mtu 1450 type bridge mcast_snooping 0; ip link set cni0 up; ip addr add 10.244.1.1/24 brd 10.244.1.255 dev cni0; ip -6 addr add fd00:10:244:1::1/64 dev cni0 nodad
ip link add veth1 address 0e:00:00:00:00:01 mtu 1450 type veth peer name eth0 netns default-web-0 address 0a:00:00:00:00:01 mtu 1450
ip link set veth1 up; ip link set veth1 master cni0; bridge link set dev veth1 hairpin on;  ip -n default-web-0 link set lo up; ip -n default-web-0 link set eth0 up; ip -n default-web-0 addr add 10.244.1.2/24 brd + dev eth0; ip -n default-web-0 -6 addr add fd00:10:244:1::2/64 dev eth0 nodad
ip -n default-web-0 route add 10.244.0.0/16 via 10.244.1.1; ip -n default-web-0 route add default via 10.244.1.1; ip -n default-web-0 -6 route add default via fd00:10:244:1::1
python3 - <<'P' &
import os,fcntl,struct,time
t=os.open('/dev/net/tun',os.O_RDWR); fcntl.ioctl(t,0x400454ca,struct.pack('16sH22x',b'flannel0',1|0x1000)); time.sleep(8)
P
sleep 0.5; ip link set flannel0 mtu 1472 up; ip addr add 10.9.9.9/32 dev flannel0; ip route add 10.9.0.0/16 dev flannel0 scope global
ip link add br9 address 12:00:00:00:00:09 type bridge
ip -6 route add blackhole fd00::/64 proto bird; ip -6 route add fd00::/16 via fd00:10:244:1::5; ip -6 route add default via fd00:10:244:1::9
ip route add blackhole 10.9.0.0/26 proto bird; ip route add unreachable 10.2.0.0/26; ip route add 10.3.0.9 dev cni0; ip route add 10.3.0.9 dev cni0 metric 50;  ip route add 10.4.0.0/24 via 10.244.1.7 mtu 1400 proto 80
sysctl -qw net.ipv6.conf.all.forwarding=1
ip rule add from 10.0.0.0/8 fwmark 0x80/0x80 iif cni0 priority 100 lookup 7; ip rule add to 10.0.0.1 fwmark 1 priority 100 lookup main
sleep 2
f() { echo "## $*"; "$@" | sed 's/ *$//'; }
f ip addr; f ip link; f ip -d link show flannel.1; f ip route; f ip -6 route; f ip route show table local; f ip -6 route show table local; f ip neigh; f bridge fdb; f bridge fdb show dev flannel.1; f ip rule; f ip -6 rule; f ip -n default-web-0 addr; f ip -n default-web-0 route;  f ip -n default-web-0 -6 route
wait
ip netns del default-web-0
