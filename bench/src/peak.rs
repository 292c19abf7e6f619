//! The most memory a process holds until it ends.

/// In KiB, looked at every millisecond: `VmHWM` only grows, so the last look
/// misses nothing of note.
pub fn peak(id: u32) -> std::thread::JoinHandle<u64> {
    std::thread::spawn(move || {
        let mut most = 0;
        while let Ok(status) = std::fs::read_to_string(format!("/proc/{id}/status")) {
            let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let Some(kib) = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok()) else { break };
            most = kib;
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        most
    })
}
