"""The values of the audit log: what can be recorded, one entry of it, and where a request came from."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import msgspec


class AuditAction(StrEnum):
    """The actions that the audit log records."""

    SIGN_IN = "sign_in"
    SIGN_IN_REFUSED = "sign_in_refused"
    SIGN_OUT = "sign_out"
    LOGIN_REVOKED = "login_revoked"
    ROLE_CHANGED = "role_changed"
    USER_DISABLED = "user_disabled"
    USER_ENABLED = "user_enabled"
    AGENT_CREATED = "agent_created"
    AGENT_PUBLISHED = "agent_published"
    AGENT_RESTORED = "agent_restored"
    AGENT_DELETED = "agent_deleted"
    SECRET_ADDED = "secret_added"  # noqa: S105  # what was done
    SECRET_REPLACED = "secret_replaced"  # noqa: S105  # what was done
    SECRET_DELETED = "secret_deleted"  # noqa: S105  # what was done
    SECRET_ASSIGNED = "secret_assigned"  # noqa: S105  # what was done
    SECRET_WITHDRAWN = "secret_withdrawn"  # noqa: S105  # what was done
    EGRESS_CHANGED = "egress_changed"
    MODE_CHANGED = "mode_changed"
    REQUEST_ANSWERED = "request_answered"
    RULE_ADDED = "rule_added"
    RULE_REMOVED = "rule_removed"
    SESSION_TAMPERED = "session_tampered"
    EXPORTED = "exported"
    AUDIT_EXPORTED = "audit_exported"
    ACCOUNT_DELETED = "account_deleted"
    SCHEDULE_CHANGED = "schedule_changed"
    LIMITS_CHANGED = "limits_changed"
    TERMINAL_OPENED = "terminal_opened"
    MODEL_CHANGED = "model_changed"
    CHANNEL_CHANGED = "channel_changed"
    CHANNEL_DELETED = "channel_deleted"
    RUN_STARTED = "run_started"
    RUN_CANCELLED = "run_cancelled"
    ANNOUNCED = "announced"


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the audit log. `what` is the action, `who` is the user who did it (empty: not signed in) and `about`
    is the id of the user or thing that it was done to. `subject` is the id of the AuditSubject with the whole text of
    what was decided about; that text is deleted with the account, and the entry stays.
    """

    seq: int = 0
    at: datetime
    what: str
    who: str = ""
    about: str = ""
    detail: str = ""
    subject: str = ""
    address: str = ""
    device: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestOrigin:
    """The origin of a request: the caller's network address, and the user agent that the browser sends."""

    address: str = ""
    device: str = ""
