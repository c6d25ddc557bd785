"""Computes the platform's monthly cost on GKE Autopilot in Seoul, without the model. docs/runbook.md has the table."""

from dataclasses import dataclass

SEOUL = 1.28
HOURS = 730
VCPU_HOUR = 0.0445 * SEOUL
GIB_HOUR = 0.0049225 * SEOUL
DISK_GIB_MONTH = 0.10 * SEOUL  # pd-balanced, what standard-rwo is
BALANCER_MONTH = 0.025 * HOURS  # forwarding rules; the second, for the redirect, is in the same first five
CLUSTER_MONTH = 0.10 * HOURS - 74.40  # the free tier pays for one cluster
BALANCER_GIB = 0.010 * SEOUL
OUT_GIB = 0.14  # to the internet from Seoul
WRITES_100K, READS_100K, STORED_GIB = 0.115, 0.038, 0.115  # Firestore
VERSION_MONTH = 0.06  # Secret Manager: an active version
FIXED_MONTH = 0.20 + 2.0  # DNS zone, ten images in the registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """The usage of one month. The figures of a user are a guess: replace them by those of /metrics."""

    users: int
    webs: int
    gateways: int
    warm: int
    awake_hours: float = 42  # of a box: 2 hours on each of 21 days, the 30 minutes until it sleeps among them
    vcpu: float = 0.5
    gib: float = 1.0
    disk_gib: float = 10
    turns: int = 420  # 20 on each of 21 days
    events: int = 25  # stored, of a turn
    out_gib: float = 0.5


def month(use: Use) -> dict[str, float]:
    """Dollars by what they are for."""
    pod_hour = use.vcpu * VCPU_HOUR + use.gib * GIB_HOUR
    turns = use.users * use.turns
    return {
        "web and gateway": (use.webs + use.gateways) * HOURS * pod_hour,
        "warm boxes": use.warm * (HOURS * pod_hour + use.disk_gib * DISK_GIB_MONTH),
        "boxes awake": use.users * use.awake_hours * pod_hour,
        "boxes' disks": use.users * use.disk_gib * DISK_GIB_MONTH,
        "load balancer, traffic": BALANCER_MONTH + use.users * use.out_gib * (BALANCER_GIB + OUT_GIB),
        "Firestore": turns * use.events * (WRITES_100K + 2 * READS_100K) / 1e5 + turns * 50e3 / 2**30 * STORED_GIB,
        "Secret Manager": use.users * VERSION_MONTH,
        "cluster, DNS, registry": max(CLUSTER_MONTH, 0) + FIXED_MONTH,
    }


SIZES = (
    Use(users=10, webs=2, gateways=2, warm=2),
    Use(users=100, webs=2, gateways=2, warm=2),
    Use(users=1000, webs=4, gateways=4, warm=10),
)
# What 100 users cost when one thing is done; and 10 users on the least that works.
HALF = {"vcpu": 0.25, "gib": 0.5}
LEVERS = (
    (
        "requests 250m / 512Mi, limits as they are (Autopilot bursts)",
        Use(users=100, webs=2, gateways=2, warm=2, **HALF),
    ),
    ("no warm boxes: the first message of the day waits for a pod", Use(users=100, webs=2, gateways=2, warm=0)),
    ("disks of 5 GiB", Use(users=100, webs=2, gateways=2, warm=2, disk_gib=5)),
    ("asleep after 10 minutes (OMA_IDLE_RUNNER_S=600)", Use(users=100, webs=2, gateways=2, warm=2, awake_hours=28)),
)
LEAST = Use(users=10, webs=1, gateways=1, warm=0, disk_gib=5, awake_hours=28, vcpu=0.25, gib=0.5)


def table() -> str:
    """Markdown, whole dollars."""
    months = [month(use) for use in SIZES]
    lines = ["| a month, USD | " + " | ".join(f"{use.users:,} users" for use in SIZES) + " |", "|---|--:|--:|--:|"]
    lines += [f"| {what} | " + " | ".join(f"{bill[what]:,.0f}" for bill in months) + " |" for what in months[0]]
    totals = [sum(bill.values()) for bill in months]
    lines.append("| **together** | " + " | ".join(f"**{total:,.0f}**" for total in totals) + " |")
    each = (f"{total / use.users:,.2f}" for total, use in zip(totals, SIZES, strict=True))
    lines.append("| a user | " + " | ".join(each) + " |")
    lines += ["", "| lever, at 100 users | saves |", "|---|--:|"]
    lines += [f"| {what} | {totals[1] - sum(month(use).values()):,.0f} |" for what, use in LEVERS]
    lines.append(
        f"| all of them, one web, one gateway, at 10 users: the whole bill | **{sum(month(LEAST).values()):,.0f}** |"
    )
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
