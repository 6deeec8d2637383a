//! Other people's machines, as folders of the files this code reads.

use super::*;
use crate::{Bytes, CacheKind, MemoryLimit};
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder that is gone when the test is over.
struct Fake(PathBuf);

impl Fake {
    fn new(files: &[(&str, &str)]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder =
            std::env::temp_dir().join(format!("freehold-machine-{}-{n}", std::process::id()));
        let fake = Self(folder);
        for (path, text) in files {
            fake.add(path, text);
        }
        fake
    }

    fn add(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn machine(&self) -> Machine {
        machine(&Root::at(&self.0))
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// Two sockets of two cores with two threads each; this process may use threads 1, 2 and 4.
fn server() -> Fake {
    let fake = Fake::new(&[
        (
            "proc/cpuinfo",
            "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 143\nmodel name\t: Big Iron @ 2.0GHz\nstepping\t: 8\nmicrocode\t: 0x2b\nflags\t\t: fpu sse avx\n\nprocessor\t: 1\nmodel name\t: other\n",
        ),
        ("proc/self/status", "Name:\tfreehold\nCpus_allowed:\t16\nCpus_allowed_list:\t1-2,4\n"),
        ("sys/devices/system/cpu/online", "0-7\n"),
        ("sys/devices/system/node/node0/x", ""),
        ("sys/devices/system/node/node1/x", ""),
        ("sys/devices/system/node/possible", "0-1"),
        (
            "proc/meminfo",
            "MemTotal:  8388608 kB\nMemFree: 1 kB\nMemAvailable: 4194304 kB\nSwapTotal: 2048 kB\nSwapFree: 1024 kB\nHugePages_Total: 10\nHugePages_Free: 7\nHugepagesize: 2048 kB\n",
        ),
        ("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n"),
        ("etc/os-release", "NAME=x\nPRETTY_NAME=\"Some Linux 12\"\n"),
        ("proc/sys/kernel/osrelease", "6.1.0\n"),
    ]);
    for id in 0..8 {
        let cpu = format!("sys/devices/system/cpu/cpu{id}");
        let (package, core) = (id / 4, id / 2);
        fake.add(&format!("{cpu}/topology/physical_package_id"), &package.to_string());
        let siblings = format!("{}-{}", core * 2, core * 2 + 1);
        fake.add(&format!("{cpu}/topology/thread_siblings_list"), &siblings);
        for (index, level, kind, size, sharers) in [
            (0, "1", "Data", "48K", siblings.clone()),
            (1, "1", "Instruction", "32K", siblings.clone()),
            (2, "2", "Unified", "2048K", siblings.clone()),
            (3, "3", "Unified", "64M", format!("{}-{}", package * 4, package * 4 + 3)),
        ] {
            let cache = format!("{cpu}/cache/index{index}");
            fake.add(&format!("{cache}/level"), level);
            fake.add(&format!("{cache}/type"), kind);
            fake.add(&format!("{cache}/size"), size);
            fake.add(&format!("{cache}/shared_cpu_list"), &sharers);
        }
    }
    fake
}

#[test]
fn a_server_with_two_sockets() {
    let machine = server().machine();
    let cpu = &machine.cpu;
    assert_eq!((cpu.packages, cpu.cores, cpu.threads), (2, 4, 8));
    assert_eq!((cpu.usable_cores, cpu.usable_threads), (3, 3));
    assert_eq!(cpu.name, "Big Iron @ 2.0GHz");
    assert_eq!(cpu.signature, "family 6 model 143 stepping 8");
    assert_eq!(cpu.microcode.as_deref(), Some("0x2b"));
    assert_eq!(cpu.virtual_machine, Some(false));
    assert_eq!(cpu.numa_nodes, 2);
    let caches: Vec<_> =
        cpu.caches.iter().map(|c| (c.level, c.kind, c.size, c.shared_by, c.count)).collect();
    assert_eq!(
        caches,
        [
            (1, CacheKind::Data, Bytes::kib(48), 2, 4),
            (1, CacheKind::Instruction, Bytes::kib(32), 2, 4),
            (2, CacheKind::Unified, Bytes::mib(2), 2, 4),
            (3, CacheKind::Unified, Bytes::mib(64), 4, 2),
        ]
    );
    assert_eq!(machine.memory.total, Bytes::gib(8));
    assert_eq!(machine.memory.free(), Bytes::gib(4));
    assert_eq!(machine.memory.huge_pages.transparent.as_deref(), Some("madvise"));
    assert_eq!((machine.memory.huge_pages.total, machine.memory.huge_pages.free), (10, 7));
    assert_eq!(machine.os.name, "Some Linux 12");
    assert_eq!(machine.os.kernel, "Linux 6.1.0");
    assert!(machine.gpus.is_empty());
}

#[test]
fn a_container_of_the_second_generation_with_limits_above_it() {
    let fake = server();
    fake.add("proc/self/cgroup", "0::/pod/app\n");
    fake.add("proc/self/mountinfo", "30 20 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
    fake.add("sys/fs/cgroup/pod/app/cpu.max", "max 100000\n");
    fake.add("sys/fs/cgroup/pod/cpu.max", "150000 100000\n");
    fake.add("sys/fs/cgroup/pod/app/memory.max", "max\n");
    fake.add("sys/fs/cgroup/pod/memory.max", "2147483648\n");
    fake.add("sys/fs/cgroup/pod/memory.current", "1073741824\n");
    fake.add("sys/fs/cgroup/pod/memory.stat", "anon 5\ninactive_file 536870912\nactive_file 1\n");
    let machine = fake.machine();
    assert_eq!(machine.cpu.quota, Some(1.5));
    assert_eq!(machine.cpu.default_threads(), 1);
    let limit = MemoryLimit { limit: Bytes::gib(2), used: Bytes(536_870_911) };
    assert_eq!(machine.memory.limit, Some(limit));
    assert_eq!(machine.memory.free(), Bytes(1_610_612_737));
}

#[test]
fn a_container_of_the_first_generation_that_sees_only_its_own_group() {
    let fake = server();
    fake.add("proc/self/cgroup", "5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n0::/\n");
    let mounts = "31 30 0:27 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n\
                  32 30 0:28 /docker/abc /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu,cpuacct\n\
                  33 30 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
    fake.add("proc/self/mountinfo", mounts);
    fake.add("sys/fs/cgroup/memory/memory.limit_in_bytes", "1073741824");
    fake.add("sys/fs/cgroup/memory/memory.usage_in_bytes", "73741824");
    fake.add("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "400000");
    fake.add("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000");
    let machine = fake.machine();
    assert_eq!(machine.cpu.quota, Some(4.0));
    assert_eq!(machine.memory.free(), Bytes(1_000_000_000));
    fake.add("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712");
    fake.add("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1");
    let machine = fake.machine();
    assert_eq!((machine.cpu.quota, machine.memory.limit), (None, None));
}

#[test]
fn accelerators_are_seen_and_virtual_screens_are_not() {
    let fake = server();
    let device = |bus: &str, class: &str, vendor: &str, device: &str| {
        let at = format!("sys/bus/pci/devices/{bus}");
        fake.add(&format!("{at}/class"), class);
        fake.add(&format!("{at}/vendor"), vendor);
        fake.add(&format!("{at}/device"), device);
    };
    device("0000:01:00.0", "0x030200", "0x10de", "0x2330");
    device("0000:02:00.0", "0x030000", "0x1002", "0x744c");
    device("0000:03:00.0", "0x030000", "0x1234", "0x1111");
    device("0000:04:00.0", "0x020000", "0x8086", "0x1572");
    fake.add("sys/bus/pci/devices/0000:02:00.0/mem_info_vram_total", "25753026560");
    fake.add(
        "proc/driver/nvidia/gpus/0000:01:00.0/information",
        "Model: \t\t NVIDIA H200\nIRQ: 5\n",
    );
    let gpus = fake.machine().gpus;
    assert_eq!(gpus.len(), 2);
    assert_eq!((gpus[0].name.as_str(), gpus[0].vendor.as_str()), ("NVIDIA H200", "NVIDIA"));
    assert_eq!(gpus[1].name, "AMD 0x744c");
    assert_eq!(gpus[1].memory, Some(Bytes(25_753_026_560)));
    assert_eq!(gpus[1].driver, None);
}

#[test]
fn an_arm_board_and_a_machine_that_hides_everything() {
    let fake = Fake::new(&[(
        "proc/cpuinfo",
        "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd4f\n\nprocessor\t: 1\n",
    )]);
    let cpu = fake.machine().cpu;
    assert_eq!((cpu.name.as_str(), cpu.vendor.as_str()), ("Arm Neoverse V2", "ARM"));
    assert_eq!((cpu.cores, cpu.usable_threads, cpu.virtual_machine), (2, 2, None));
    let hidden = Fake::new(&[]).machine();
    assert_eq!((hidden.cpu.cores, hidden.cpu.default_threads()), (1, 1));
    assert_eq!(hidden.memory.free(), Bytes::ZERO);
}

#[test]
fn nonsense_in_the_files_is_passed_over() {
    let fake = Fake::new(&[
        ("sys/devices/system/cpu/online", "3-1,x,,-,5-,99999999999999999999,7"),
        ("proc/self/cgroup", "::::\n0::/../../..\nfoo"),
        ("proc/self/mountinfo", "a b\n1 2 3 / /sys/fs/cgroup rw - cgroup2\n - \n"),
        ("sys/fs/cgroup/cpu.max", "0 0"),
        ("sys/fs/cgroup/memory.max", "-5"),
        ("proc/meminfo", "MemTotal: many kB\n:::\nMemAvailable: 18446744073709551615 kB"),
    ]);
    let machine = fake.machine();
    assert_eq!(machine.cpu.threads, 1);
    assert_eq!((machine.cpu.quota, machine.memory.limit), (None, None));
}

#[test]
#[cfg(target_os = "linux")]
fn this_machine() {
    let machine = Machine::detect();
    assert!(machine.cpu.usable_threads >= machine.cpu.usable_cores);
    assert!(machine.cpu.usable_threads <= machine.cpu.threads);
    assert!(machine.memory.total > Bytes::mib(64));
    assert!(machine.memory.available > Bytes::ZERO);
    let granted = std::thread::available_parallelism().unwrap().get();
    assert!(machine.cpu.default_threads() <= granted);
}
