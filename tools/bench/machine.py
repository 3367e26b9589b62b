"""What the benchmarks ran on, as the report shows it."""

import subprocess
import sys
from pathlib import Path

from tools.bench import wrk
from tools.bench.environment import SETTINGS
from tools.bench.sql import sql


def machine() -> dict[str, str]:
    """Processor, memory, versions and settings of this machine, by name."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":", 1)[1].strip() for line in lines if "model name" in line), "?")
    cores = sum(line.startswith("processor") for line in lines)
    memory = int(Path("/proc/meminfo").read_text().split()[1]) // 1024
    postgres = str(sql("SHOW server_version")[0][0])
    kernel = subprocess.run(["uname", "-sr"], capture_output=True, text=True, check=False).stdout
    return {
        "processor": f"{cores} × {model}",
        "memory": f"{memory:,} MiB",
        "system": kernel.strip(),
        "python": sys.version.split()[0],
        "postgresql": f"{postgres}, fsync {sql('SHOW fsync')[0][0]},"
        f" synchronous_commit {sql('SHOW synchronous_commit')[0][0]}",
        "gateway": f"sandbox, {SETTINGS['SANDBOX_LATENCY_MS']} ms a call",
        "settings": "production's: rate limits on, behind one proxy, no debug pages",
        "load generator": f"wrk {wrk.version()}, on the same machine",
        "load before": f"{Path('/proc/loadavg').read_text().split()[0]} (one minute's average)",
    }
