#!/usr/bin/env bash
# Two ranks, each in a network namespace of its own, joined by a line of limited rate: `tools/net_trial.sh [BUILD [MBIT...]]`.
# For each rate (default 10 100 1000) prints the measured step, what `vkgpt plan --ranks 2` predicts, and whether the
# weights have the bits of two ranks of one host. Exits 1 where bits differ or the prediction is off by more than 20 %.
# BUCKET_MIB (default 1) is the size of a bucket; one larger than the gradients leaves nothing to overlap.
# Needs root, iproute2 and Open MPI; both ranks compute on the CPU's driver, a thread each, so the machine should be quiet.
set -euo pipefail
build=$(realpath "${1:-build}")
shift || true
[ $# -gt 0 ] || set -- 10 100 1000
cd "$(dirname "$0")/.."
[ "$(id -u)" -eq 0 ] || { echo "net_trial: network namespaces need root" >&2; exit 2; }
for command in ip tc mpirun unshare; do
  command -v "$command" >/dev/null || { echo "net_trial: $command is missing (iproute2, openmpi-bin)" >&2; exit 2; }
done
work=$(mktemp -d)
a=vkgpt-a-$$ b=vkgpt-b-$$
trap 'ip netns del $a 2>/dev/null; ip netns del $b 2>/dev/null; rm -rf "$work"' EXIT
export LP_NUM_THREADS=1 VKGPT_DEVICE=llvmpipe

for i in $(seq 20000); do echo "line $i: $((i * i % 9973)) quick brown foxes, $((i % 17)) lazy dogs"; done >"$work/text.txt"
bucket=${BUCKET_MIB:-1}
model=(--n_layer 2 --n_head 4 --n_embd 128 --block_size 64 --batch_size 4)
run=(train --data_path "$work/text.txt" "${model[@]}" --max_steps 14 --eval_interval 0 --stats_interval 0
     --sample_interval 0 --save_interval 100 --log_interval 1 --bucket_mib "$bucket" --eval_iters 1)

# Milliseconds of a step: the mean of those after the first.
step_ms() {  # run directory
  python3 -c 'import json, sys
rows = [json.loads(line) for line in open(sys.argv[1] + "/metrics.jsonl")]
print("%.2f" % [1e3 * row["step_seconds"] for row in rows if row.get("step_seconds")][-1])' "$1"
}
bits() { cat "$1"/step-14/{model,optimizer}.safetensors | sha256sum | cut -c1-16; }
train_once() {  # run directory, command...
  local out=$1
  shift
  rm -rf "${work:?}/$out"
  timeout 600 "$@" --out_dir "$work/$out" >"$work/$out.log" 2>&1 || { tail -n 5 "$work/$out.log" >&2; exit 1; }
  step_ms "$work/$out"
}
# Trains three times and prints the least step: other work on the machine must not count.
train() {  # run directory, command...
  for _ in 1 2 3; do train_once "$@"; done | sort -n | head -n 1
}
# The same of two independent runs side by side, the slower of which counts: what a device does while the other rank's
# works as well. The two share caches, memory and often a core, of which two machines have one each.
train_beside() {  # command...
  for _ in 1 2 3; do
    { train_once beside "$@" & train_once alone "$@"; wait $!; } | sort -n | tail -n 1
  done | sort -n | head -n 1
}

ip netns add "$a" && ip netns add "$b"
ip link add data netns "$a" type veth peer name data netns "$b"
for end in "$a 10.77.0.1" "$b 10.77.0.2"; do
  read -r name address <<<"$end"
  ip -n "$name" addr add "$address/24" dev data
  ip -n "$name" link set lo up
  ip -n "$name" link set data up
done
# The launcher's remote shell: a command on the other "machine", which has a name of its own.
cat >"$work/agent" <<EOF
#!/bin/sh
shift
exec ip netns exec $b unshare --uts sh -c "hostname rank-b; \$*"
EOF
chmod +x "$work/agent"
printf '10.77.0.1 slots=1\n10.77.0.2 slots=1\n' >"$work/hosts"
# A message of a real bucket, 25 MiB, hides what its handshake takes; these small ones go without.
line=(--allow-run-as-root --hostfile "$work/hosts" -n 2 --map-by ppr:1:node --bind-to none
      --prtemca plm_ssh_agent "$work/agent" --prtemca prte_if_include 10.77.0.0/24
      --mca pml ob1 --mca btl self,tcp --mca btl_tcp_if_include 10.77.0.0/24 --mca btl_tcp_eager_limit 4194304)

alone_ms=$(train alone "$build/vkgpt" "${run[@]}")
micro_step_ms=$(train_beside "$build/vkgpt" "${run[@]}")
host_ms=$(train host "$build/vkgpt" "${run[@]}" --grad_accum_steps 2 --nproc_per_node 2)
echo "one micro-step on one device: $alone_ms ms, beside another: $micro_step_ms ms; two ranks of one host: $host_ms ms"
printf '%10s %12s %13s %10s %s\n' Mbit/s 'measured ms' 'predicted ms' ratio bits
failed=0
for mbit in "$@"; do
  for name in "$a" "$b"; do
    ip netns exec "$name" tc qdisc replace dev data root tbf rate "${mbit}mbit" burst 64kb limit 16mb
  done
  measured=$(train net ip netns exec "$a" unshare --uts sh -c 'hostname rank-a; exec "$@"' sh \
    mpirun "${line[@]}" "$build/vkgpt" "${run[@]}" --grad_accum_steps 2)
  predicted=$("$build/vkgpt" plan "${model[@]}" --vocab_size 40 --bucket_mib "$bucket" --grad_accum_steps 2 --ranks 2 \
    --net_gbit "$(python3 -c "print($mbit / 1000)")" --micro_step_ms "$micro_step_ms" --json |
    python3 -c 'import json, sys; print("%.2f" % json.load(sys.stdin)[-1]["predicted_step_ms"])')
  same=equal
  [ "$(bits "$work/net")" = "$(bits "$work/host")" ] || same=DIFFERENT
  ratio=$(python3 -c "print('%.2f' % ($predicted / $measured))")
  printf '%10s %12s %13s %10s %s\n' "$mbit" "$measured" "$predicted" "$ratio" "$same"
  python3 -c "exit(not (0.8 <= $ratio <= 1.2 and '$same' == 'equal'))" || failed=1
done
exit $failed
