"""What the kernel knows about processes: CPU time and memory."""
import os


def cpu_ns(pid):
    """Nanoseconds that a process has had on a CPU, all its threads together."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/schedstat") as f:
                total += int(f.read().split()[0])
        except OSError:
            pass        # a thread that ended while we looked
    return total


def memory_kib(pid):
    """{"VmRSS": ..., "VmHWM": ..., "RssAnon": ...} of a process, in KiB."""
    with open(f"/proc/{pid}/status") as f:
        pairs = (line.split(":", 1) for line in f if ":" in line)
        return {name: int(value.split()[0]) for name, value in pairs if name.startswith(("Vm", "Rss"))}


def available_bytes():
    """Memory that could be used without swapping."""
    with open("/proc/meminfo") as f:
        for line in f:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return 0
