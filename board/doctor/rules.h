// The rules by subject. Each adds what it finds.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "board/doctor/doctor.h"
#include "board/profiles/device_name.h"

namespace postern::doctor {

/// The machine, what is wanted of it, and what has been found so far.
struct visit {
    const machine::machine& on;
    const wishes& want;
    profiles::device_name device;
    const machine::pci_nic* nic;  ///< null: virtual, or not on this machine
    std::uint32_t shards;
    std::uint32_t memory_mib;  ///< for buffers
    std::vector<finding> findings;

    void add(severity how, std::string about, std::string what, std::string where, std::string command = "",
             std::string for_good = "") {
        findings.push_back(
            {how, std::move(about), std::move(what), std::move(where), std::move(command), std::move(for_good)});
    }
};

void check_device(visit& of);
void check_pci(visit& of);
void check_virtual(visit& of);
void check_memory(visit& of);
void check_cores(visit& of);
void check_network(visit& of);

/// The command that adds words to the kernel's command line and restarts, by GRUB as Debian has it.
std::string boot_command(const std::string& words);
/// What a machine needs to have an IOMMU, by the maker of its CPU.
std::string iommu_command(const machine::machine& on);

}  // namespace postern::doctor
