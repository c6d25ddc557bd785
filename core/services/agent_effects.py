"""The effects of an agent's change: entries of the audit log, and the replacement of CLIs with old settings."""

from core.domain.audit import AuditAction
from core.domain.records import Agent

STARTS_WITH = ("model", "effort", "rules", "secrets", "unattended")  # told to a CLI at its start


def audited(before: Agent, after: Agent) -> list[tuple[AuditAction, str]]:
    """Return the entries of the audit log with their details: what an agent may do, and that it was published."""
    found = [(AuditAction.RULE_ADDED, rule) for rule in after.rules if rule not in before.rules]
    found += [(AuditAction.RULE_REMOVED, rule) for rule in before.rules if rule not in after.rules]
    if before.egress != after.egress:
        found.append((AuditAction.EGRESS_CHANGED, " ".join(after.egress)))
    if before.permission_mode != after.permission_mode:
        found.append((AuditAction.MODE_CHANGED, after.permission_mode))
    if before.published != after.published or (before.draft and not after.draft):
        found.append((AuditAction.AGENT_PUBLISHED, f"v{after.published}" if after.published else ""))
    found += [(AuditAction.SECRET_ASSIGNED, name) for name in after.secrets if name not in before.secrets]
    found += [(AuditAction.SECRET_WITHDRAWN, name) for name in before.secrets if name not in after.secrets]
    return found


def is_narrower(before: Agent, after: Agent) -> bool:
    """True if a running CLI may do something that it may not do any more. Hosts are checked at each connection."""
    fewer_rules = set(before.rules) - set(after.rules) or set(before.unattended.allow) - set(after.unattended.allow)
    return bool(fewer_rules) or before.permission_mode != after.permission_mode


def starts_otherwise(before: Agent, after: Agent) -> bool:
    """True if the agent's next turns should begin in new CLIs."""
    return any(getattr(before, name) != getattr(after, name) for name in STARTS_WITH)
