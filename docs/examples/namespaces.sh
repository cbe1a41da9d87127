#!/bin/sh -e
# The network of docs/node.md: nodes lb1 and lb2, and a namespace net with both switches, a client and a backend.
if [ "$1" = down ]; then
  for ns in lb1 lb2 net; do ip netns del $ns; done
  exit
fi
for ns in lb1 lb2 net; do ip netns add $ns; done
for switch in clients backends; do ip -n net link add $switch type bridge; ip -n net link set $switch up; done
ip -n net addr add 198.18.0.11/24 dev clients
ip -n net addr add 198.18.1.11/24 dev backends
ip link add sync0 netns lb1 type veth peer name sync0 netns lb2
for i in 1 2; do
  for side in client backend; do
    ip link add ${side}0 netns lb$i type veth peer name $side$i netns net
    ip -n net link set $side$i master ${side}s up
  done
  ip -n lb$i addr add 198.18.0.$i/24 dev client0
  ip -n lb$i addr add 198.18.1.$i/24 dev backend0
  ip -n lb$i addr add 198.18.2.$i/24 dev sync0
  for dev in lo client0 backend0 sync0; do ip -n lb$i link set $dev up; done
done
