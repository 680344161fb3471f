#!/usr/bin/env python3
"""Runs benches and writes what they print into benches/README.md.

    python3 benches/figures.py              # all
    python3 benches/figures.py curve decide # some

Each bench has its place in the README, between `<!-- figures:NAME -->` and
`<!-- /figures:NAME -->`. All between the two is replaced: by the machine, the date, the
load average before the run, the command, and the tables. Everything else stays. A bench
that fails leaves its old figures, and the script ends with 1.
"""

import datetime
import os
import pathlib
import platform
import re
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
README = ROOT / "benches" / "README.md"

# What each bench is told, in the order in which all are run. Paths are from the root of the
# package, where cargo runs a bench.
BENCHES = {
    "decide": [],
    "curve": ["--plots", "benches/plots"],
    "http": ["--seconds", "4"],
    "start": [],
}


def machine():
    """Processor, cores, memory and kernel."""
    cpu = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+)", pathlib.Path("/proc/meminfo").read_text())
    gib = int(memory[1]) / 2**20 if memory else 0
    name = cpu[1].strip() if cpu else platform.machine()
    return f"{name}, {os.cpu_count()} cores, {gib:.0f} GiB, {platform.system()} {platform.release()}"


def estimates(printed):
    """Criterion's lines as a table: its middle estimates."""
    rows, name = [], ""
    for line in printed.splitlines():
        found = re.match(r"(\S.*?)?\s+(time|thrpt):\s+\[\S+ \S+ (\S+ \S+) ", line)
        if found is None:
            name = line.strip() if re.match(r"\S+/\S+$", line.strip()) else name
            continue
        name = found[1] or name
        if found[2] == "time":
            rows.append([name, found[3], ""])
        elif rows:
            rows[-1][2] = rate(*found[3].split())
    head = ["| benchmark | time | rate |", "|---|---:|---:|"]
    return "\n".join(head + [f"| `{name}` | {time} | {rate} |" for name, time, rate in rows])


def rate(number, unit):
    """`55.4 Kelem/s` as `55,400 a second`."""
    times = {"K": 1e3, "M": 1e6, "G": 1e9}.get(unit[0], 1)
    return f"{float(number) * times:,.0f} a second"


def tables(printed):
    """What a bench of ours prints; its headings stand below the README's own."""
    return re.sub(r"(?m)^#+ ", "#### ", printed).strip()


def run(name):
    """One bench's figures, or nothing if it failed."""
    command = ["cargo", "bench", "--bench", name]
    subprocess.run(command + ["--no-run"], cwd=ROOT, check=True)
    if BENCHES[name]:
        command += ["--", *BENCHES[name]]
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    today = datetime.date.today().isoformat()
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        return None
    printed = estimates(done.stdout) if "time:   [" in done.stdout else tables(done.stdout)
    about = f"{today}, {machine()}; load average before: {load}; `{shlex.join(command)}`."
    return f"{about}\n\n{printed}"


def put(readme, name, figures):
    """The README with these figures in their place."""
    begin, end = f"<!-- figures:{name} -->", f"<!-- /figures:{name} -->"
    before, found, rest = readme.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        sys.exit(f"{README.name} has no place for `{name}`: {begin} … {end}")
    return f"{before}{begin}\n{figures}\n{end}{after}"


def main():
    names = sys.argv[1:] or list(BENCHES)
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        sys.exit(f"no bench `{unknown[0]}`; there are {', '.join(BENCHES)}")
    failed = []
    for name in names:
        figures = run(name)
        if figures is None:
            failed.append(name)
            continue
        # Read anew each time: a run is long, and others write here too.
        README.write_text(put(README.read_text(), name, figures))
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
