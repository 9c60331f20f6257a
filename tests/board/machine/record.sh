#!/bin/sh
# Records what postern-board reads of this machine, for tests on other ones: record.sh > NAME.record
# One line each: "F path<TAB>text" (line feeds as \n), "L path<TAB>target", "D path" (a folder, which may be empty).
# Runs under busybox, too.
cd /
tab=$(printf '\t')

file() { # path [most lines]
    [ -r "$1" ] && [ -f "$1" ] || return 0
    text=$(head -n "${2:-40}" "$1" 2>/dev/null | sed 's/\\/\\\\/g' | awk 'NR > 1 { printf "\\n" } { printf "%s", $0 }')
    printf 'F %s%s%s\n' "$1" "$tab" "$text"
}
link() {
    [ -L "$1" ] && printf 'L %s%s%s\n' "$1" "$tab" "$(readlink "$1")"
    return 0
}
folder() { [ -d "$1" ] && printf 'D %s\n' "$1"; return 0; }
there() { [ -e "$1" ] && printf 'F %s%s\n' "$1" "$tab"; return 0; }

for f in proc/cmdline proc/filesystems proc/net/route proc/net/ipv6_route proc/sys/kernel/osrelease; do
    file "$f"
done
file proc/meminfo 3
printf 'F proc/mounts\t%s\n' "$(grep -F ' hugetlbfs ' proc/mounts | head -n 1)"
printf 'F proc/net/protocols\t%s\n' "$(awk 'NR > 1 { printf "\\n" } { printf "%s", $1 }' proc/net/protocols)"
printf 'F proc/cpuinfo\tmodel name : %s\\nflags : %s\n' "$(sed -n 's/^model name.*: //p' proc/cpuinfo | head -n 1)" "$(grep -m 1 -o -w hypervisor proc/cpuinfo)"
printf 'F proc/self/limits\t%s\n' "$(grep '^Max locked memory' proc/self/limits)"
for f in sys/devices/system/cpu/online sys/devices/system/cpu/isolated sys/devices/system/cpu/nohz_full sys/kernel/mm/transparent_hugepage/enabled \
    sys/devices/system/node/online sys/module/vfio/parameters/enable_unsafe_noiommu_mode; do
    file "$f"
done
for cpu in sys/devices/system/cpu/cpu[0-9]*; do
    file "$cpu/topology/physical_package_id"
    file "$cpu/topology/core_id"
    file "$cpu/cpufreq/scaling_governor"
done
for pages in sys/kernel/mm/hugepages/* sys/devices/system/node/node*/hugepages/*; do
    file "$pages/nr_hugepages"
    file "$pages/free_hugepages"
done
for node in sys/devices/system/node/node[0-9]*; do
    file "$node/cpulist"
    file "$node/meminfo" 1
done
for device in sys/bus/pci/devices/*; do
    for f in class vendor device numa_node; do
        file "$device/$f"
    done
    link "$device/driver"
    link "$device/iommu_group"
done
for interface in sys/class/net/*; do
    link "$interface"
    target=$(readlink -f "$interface" | cut -c 2-)
    for f in ifindex address mtu flags carrier; do
        file "$target/$f"
    done
    for queue in "$target"/queues/rx-*; do
        folder "$queue"
    done
done
for driver in vfio-pci uio_pci_generic virtio-pci; do
    folder "sys/bus/pci/drivers/$driver"
done
for iommu in sys/class/iommu/*; do
    [ -e "$iommu" ] && folder "$iommu"
done
for device in sys/kernel/iommu_groups/*/devices/*; do
    link "$device"
done
there dev/net/tun
there dev/vhost-net
for module in vfio-pci uio_pci_generic tun vhost_net; do
    grep -h "/$module.ko" "lib/modules/$(uname -r)/modules.dep" 2>/dev/null | sed "s/:.*/:/"
done | awk -v release="$(uname -r)" 'NR == 1 { printf "F lib/modules/%s/modules.dep\t", release } NR > 1 { printf "\\n" } { printf "%s", $0 } END { if (NR) print "" }'
for pmd in usr/lib/*/dpdk/pmds-*/librte_net_*.so; do
    there "$pmd"
done
