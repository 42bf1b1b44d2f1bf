/** The text of enter.sh: a shell in a machine or pod, by its name in the lab. */
export const enterScript = `#!/usr/bin/env bash
# enter.sh WHERE [COMMAND...]: runs a command, or a shell, in a machine or pod. Without words: what there is.
set -euo pipefail
directory=$(cd "$(dirname "\${BASH_SOURCE[0]}")" && pwd)

# MACHINE, NAMESPACE/POD, POD where there is one of that name, or MACHINE/POD
ways() {
  awk -F '\\t' -v where="$1" '{
    own = $3; sub(/.*\\//, "", own)
    if ($3 == "root" ? where == $2 : where == $3 || where == own || where == $2 "/" own || where == $2 "/" $3) print
  }' "$directory/places.txt"
}

if [ $# = 0 ]; then
  awk -F '\\t' '{ print ($3 == "root" ? $2 : $3 "  on " $2) }' "$directory/places.txt"
  exit 0
fi
where=$1
shift
found=$(ways "$where")
if [ -z "$found" ]; then
  echo "enter.sh: there is no $where; ./enter.sh tells what there is" >&2
  exit 1
fi
if [ "$(wc -l <<< "$found")" -gt 1 ]; then
  echo "enter.sh: there are several of that name:" >&2
  awk -F '\\t' '{ print "  " $2 "/" $3 }' <<< "$found" >&2
  exit 1
fi
IFS=$'\\t' read -r netns _ _ etc <<< "$found"
[ -e "/run/netns/$netns" ] || { echo 'enter.sh: the cluster is not up: ./up.sh' >&2; exit 1; }
[ $# -gt 0 ] || set -- bash
# Its own /etc/resolv.conf and the like, seen by this command alone.
exec ip netns exec "$netns" bash -c '
  for file in "$0"/*; do
    if [ -e "$file" ] && [ -e "/etc/\${file##*/}" ]; then mount --bind "$file" "/etc/\${file##*/}"; fi
  done
  exec "$@"' "$directory/$etc" "$@"
`
