"""Every error code that a person or an API client can meet: what happened, what it means and what helps.

Pages decide by it what they offer, the API answers with its sentences, and docs/errors.md is generated from it
(`python -m core.domain.error_catalogue`). The pages' own sentences are in ui/locale, by the same codes.
"""

from dataclasses import dataclass
from enum import StrEnum


class Remedy(StrEnum):
    """A step that a person or a client can take after an error."""

    RETRY = "retry"
    WAIT = "wait"
    EDIT_MESSAGE = "edit_message"
    NEW_SESSION = "new_session"
    GO_ON = "go_on"
    CONNECT_MODEL = "connect_model"
    RAISE_LIMIT = "raise_limit"
    FREE_SPACE = "free_space"
    FIX_REQUEST = "fix_request"
    SIGN_IN = "sign_in"
    RELOAD = "reload"
    ASK_ADMIN = "ask_admin"
    NOTHING = "nothing"


ADVICE: dict[Remedy, str] = {
    Remedy.RETRY: "Send the same again.",
    Remedy.WAIT: "Wait a little, then send the same again.",
    Remedy.EDIT_MESSAGE: "Edit the last message and send it anew.",
    Remedy.NEW_SESSION: "Go on in a new session with a summary of this one.",
    Remedy.GO_ON: "Say what comes next; the session goes on from here.",
    Remedy.CONNECT_MODEL: "Give the server a valid model key (ANTHROPIC_API_KEY or Vertex AI) and restart it.",
    Remedy.RAISE_LIMIT: "Raise the spending limit or add credit, then go on.",
    Remedy.FREE_SPACE: "Delete files that are not needed, then go on.",
    Remedy.FIX_REQUEST: "Correct the request; the same again fails again.",
    Remedy.SIGN_IN: "Sign in, then send the same again.",
    Remedy.RELOAD: "Read the present state, then decide anew.",
    Remedy.ASK_ADMIN: "Ask the administrator of this platform.",
    Remedy.NOTHING: "Nothing needs to be done.",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """The texts of one error code. `remedies` stand in the order in which pages offer them."""

    happened: str
    means: str
    remedies: tuple[Remedy, ...]


R = Remedy

# Reasons of `turn_finished` (core.domain.events) that are not "ok".
TURNS: dict[str, Entry] = {
    "stopped_by_user": Entry("The turn was stopped.", "A person pressed Stop.", (R.GO_ON,)),
    "tampered": Entry(
        "The agent's process did what nobody had told it.",
        "A program reached into it. Its programs were ended and its memory was put aside; the audit log has it.",
        (R.NEW_SESSION, R.ASK_ADMIN),
    ),
    "cli_died": Entry("The agent's process ended.", "What was written until then is kept.", (R.RETRY,)),
    "background_ended": Entry(
        "Work in the background was ended.",
        "Its process had to end: it made room for another session, rested for hours, or was lost with its box.",
        (R.GO_ON,),
    ),
    "cli_not_started": Entry("The agent's process did not start.", "The message is kept.", (R.RETRY, R.ASK_ADMIN)),
    "runner_lost": Entry("The agent's box was lost.", "A new box starts with the next message.", (R.RETRY,)),
    "orphaned": Entry("The turn was stopped.", "Nobody was connected for a long time.", (R.RETRY,)),
    "shutdown": Entry("The turn was stopped.", "The platform was shut down.", (R.RETRY,)),
    "no_answer": Entry("The model did not answer.", "The network or the provider may be slow.", (R.WAIT,)),
    "model_overloaded": Entry("The model is overloaded.", "The provider limits requests now.", (R.WAIT,)),
    "model_error": Entry("The model answered with an error.", "The details quote it.", (R.RETRY, R.ASK_ADMIN)),
    "model_key_refused": Entry("The model key was refused.", "The provider does not take the key.", (R.CONNECT_MODEL,)),
    "request_refused": Entry(
        "The model refused the conversation as invalid.",
        "The provider answered 400: something in this history is what it does not take.",
        (R.EDIT_MESSAGE, R.NEW_SESSION),
    ),
    "model_declined": Entry(
        "The model declined to answer.",
        "The provider's safety rules stopped the answer; the details are its own words.",
        (R.EDIT_MESSAGE, R.NEW_SESSION),
    ),
    "too_long": Entry("The conversation is too long.", "The model cannot read all of it.", (R.NEW_SESSION,)),
    "spend_limit": Entry("The spending limit is reached.", "The provider or our own limit says so.", (R.RAISE_LIMIT,)),
    "max_turns": Entry("All steps of one turn are used up.", "The work is not finished.", (R.GO_ON,)),
    "disk_full": Entry("The turn was stopped.", "The disk space of this user is used up.", (R.FREE_SPACE, R.RETRY)),
}

# Codes of `PlatformError`: what pages and API answer.
REQUESTS: dict[str, Entry] = {
    "bad_input": Entry("The request cannot be understood.", "A field is missing or of another kind.", (R.FIX_REQUEST,)),
    "bad_message": Entry("The message cannot be taken.", "It is empty, too long or has no id.", (R.FIX_REQUEST,)),
    "bad_name": Entry("The name cannot be taken.", "It is empty or too long.", (R.FIX_REQUEST,)),
    "bad_description": Entry("The description cannot be taken.", "It is empty or too long.", (R.FIX_REQUEST,)),
    "bad_model": Entry("The model cannot be taken.", "This is no name of a model.", (R.FIX_REQUEST,)),
    "bad_effort": Entry("The effort cannot be taken.", "There is no such level.", (R.FIX_REQUEST,)),
    "bad_inputs": Entry("The inputs cannot be taken.", "A name, a choice or a default does not fit.", (R.FIX_REQUEST,)),
    "instructions_changed": Entry("The instructions have changed.", "Nothing was written over.", (R.RELOAD,)),
    "version_too_large": Entry(
        "The folder is too large for a version.",
        "A version has at most 2,000 files and 20 MiB; move what the agent does not need to another place.",
        (R.FREE_SPACE,),
    ),
    "bad_archive": Entry(
        "The archive is not taken.", "Nothing of it was kept; the detail says what is in its way.", (R.FIX_REQUEST,)
    ),
    "version_damaged": Entry("The version is damaged.", "Its files are not what was published.", (R.FIX_REQUEST,)),
    "definition_changed": Entry("The agent has changed meanwhile.", "Nothing was written over.", (R.RELOAD,)),
    "bad_mode": Entry("The mode cannot be taken.", "There is no mode of this name.", (R.FIX_REQUEST,)),
    "rule_misses": Entry(
        "The rule was not kept.", "It does not allow what was asked; the same would ask again.", (R.FIX_REQUEST,)
    ),
    "bad_rule": Entry("The rule cannot be taken.", "It is not in the syntax of rules.", (R.FIX_REQUEST,)),
    "bad_host": Entry(
        "The host cannot be taken.",
        "It is not the name of a public host; or the request's Host header is not the address of this server.",
        (R.FIX_REQUEST,),
    ),
    "private_host": Entry("The host cannot be taken.", "It is not on the public internet.", (R.FIX_REQUEST,)),
    "too_many_hosts": Entry("The list of hosts is too long.", "A bound was reached.", (R.FIX_REQUEST,)),
    "bad_secret": Entry("The secret cannot be taken.", "Its value is empty or too long.", (R.FIX_REQUEST,)),
    "short_secret": Entry("The secret cannot be taken.", "It is too short to be masked.", (R.FIX_REQUEST,)),
    "bad_secret_name": Entry("The name cannot be taken.", "It is no environment variable's name.", (R.FIX_REQUEST,)),
    "taken_secret_name": Entry("The name cannot be taken.", "The platform uses it itself.", (R.FIX_REQUEST,)),
    "secrets_full": Entry("No more secrets fit.", "A bound was reached.", (R.FREE_SPACE,)),
    "bad_announcement": Entry("The announcement cannot be taken.", "It is empty or too long.", (R.FIX_REQUEST,)),
    "bad_schedule": Entry("The schedule cannot be taken.", "A field of it is out of range.", (R.FIX_REQUEST,)),
    "bad_cron": Entry("The schedule cannot be taken.", "It is not a cron expression.", (R.FIX_REQUEST,)),
    "bad_timezone": Entry("The time zone is not known.", "It is none of the IANA names.", (R.FIX_REQUEST,)),
    "never_due": Entry("The schedule is never due.", "No time fits it.", (R.FIX_REQUEST,)),
    "no_time": Entry("The schedule has no time.", "A schedule for one time needs it.", (R.FIX_REQUEST,)),
    "input_missing": Entry("A value is missing.", "The agent declares this input as required.", (R.FIX_REQUEST,)),
    "input_wrong": Entry("A value does not fit its input.", "The input is of another kind.", (R.FIX_REQUEST,)),
    "input_unknown": Entry("The agent has no such input.", "It declares others.", (R.FIX_REQUEST,)),
    "bad_limit": Entry("The limit cannot be taken.", "It is out of range.", (R.FIX_REQUEST,)),
    "not_published": Entry("The agent is a draft.", "Drafts run only on request.", (R.FIX_REQUEST,)),
    "run_open": Entry("The run has not ended.", "What has not ended is not done again.", (R.WAIT,)),
    "run_ended": Entry("The run has ended.", "Nothing of it can be answered or cancelled.", (R.RELOAD,)),
    "runs_full": Entry("Too many runs are open.", "A bound was reached.", (R.WAIT,)),
    "too_many_schedules": Entry("The agent has too many schedules.", "A bound was reached.", (R.FREE_SPACE,)),
    "text_too_long": Entry("The text is too long.", "A bound was reached.", (R.FIX_REQUEST,)),
    "too_large": Entry("The body is too large.", "The limit is 2 MiB.", (R.FIX_REQUEST,)),
    "bad_path": Entry(
        "The path cannot be taken.", "It leaves the folder, or the name is not possible.", (R.FIX_REQUEST,)
    ),
    "bad_range": Entry("There is no such range.", "The file ends before it.", (R.FIX_REQUEST,)),
    "file_changed": Entry("The file was not written.", "It was changed or deleted meanwhile.", (R.RELOAD,)),
    "file_exists": Entry("The name is taken.", "There is something of this name already.", (R.FIX_REQUEST,)),
    "file_locked": Entry("The file cannot be used.", "The agent has taken the rights to it away.", (R.FIX_REQUEST,)),
    "file_unsaved": Entry("Something is not saved.", "Another file is opened after it is saved.", (R.FIX_REQUEST,)),
    "file_too_large": Entry("The file is too large.", "OMA_UPLOAD_MB is the limit of one file.", (R.FIX_REQUEST,)),
    "not_a_file": Entry("This is not a plain file.", "It is a folder, a link or a device.", (R.FIX_REQUEST,)),
    "not_a_folder": Entry("This is not a folder.", "The path names a file.", (R.FIX_REQUEST,)),
    "terminals_off": Entry("Terminals are off.", "An administrator has set OMA_TERMINALS to off.", (R.ASK_ADMIN,)),
    "too_many_terminals": Entry("Too many terminals are open.", "End one of them first.", (R.FIX_REQUEST,)),
    "no_terminal": Entry("A terminal cannot be started.", "The box of this user has no terminals.", (R.ASK_ADMIN,)),
    "terminal_input_full": Entry("The program does not read.", "Too much was typed or pasted.", (R.WAIT,)),
    "bad_channel": Entry(
        "The channel cannot be made.", "It is not possible here, or changes its kind.", (R.FIX_REQUEST,)
    ),
    "bad_channel_url": Entry(
        "The address cannot be taken.", "It must begin with https:// and a name.", (R.FIX_REQUEST,)
    ),
    "channel_refused": Entry("Nothing is sent there.", "The address is not on the public internet.", (R.FIX_REQUEST,)),
    "bad_subscription": Entry("The registration cannot be taken.", "It is none of a browser.", (R.RETRY,)),
    "too_many_channels": Entry("No more channels fit.", "A bound was reached.", (R.FIX_REQUEST,)),
    "too_many_tests": Entry("Too many tests in a row.", "A few are sent in ten minutes.", (R.WAIT,)),
    "bad_email": Entry("The address cannot be taken.", "It is no e-mail address.", (R.FIX_REQUEST,)),
    "not_your_email": Entry("Mail does not go there.", "It goes to the address of the sign-in only.", (R.FIX_REQUEST,)),
    "bad_quiet_hours": Entry("The quiet hours cannot be taken.", "A time or the zone is none.", (R.FIX_REQUEST,)),
    "bad_model_key": Entry(
        "The key cannot be taken.", "It does not look like a key of the provider.", (R.FIX_REQUEST,)
    ),
    "bad_vertex": Entry("The connection cannot be taken.", "Project or region is none of Google's.", (R.FIX_REQUEST,)),
    "secret_missing": Entry("The value is not there yet.", "The form was not filled in.", (R.FIX_REQUEST,)),
    "no_space": Entry("The file was not written.", "The disk space of this user is used up.", (R.FREE_SPACE,)),
    "head_too_large": Entry("The headers are too large.", "The limit is 32 KiB and 100 headers.", (R.FIX_REQUEST,)),
    "too_slow": Entry("The body did not come in time.", "Each part may take 30 seconds.", (R.RETRY,)),
    "method_not_allowed": Entry("The method is not allowed here.", "`Allow` names those that are.", (R.FIX_REQUEST,)),
    "no_polling": Entry("Only sockets are served here.", "There is no long polling.", (R.FIX_REQUEST,)),
    "no_page": Entry("The socket belongs to no page.", "It does not say which page it is for.", (R.RELOAD,)),
    "not_signed_in": Entry("Nobody is signed in.", "The login ended or was never there.", (R.SIGN_IN,)),
    "bad_state": Entry("The sign-in was not finished.", "It began elsewhere, or too long ago.", (R.SIGN_IN,)),
    "bad_id_token": Entry("The sign-in was refused.", "The provider's token is not for this sign-in.", (R.SIGN_IN,)),
    "declined": Entry("The sign-in was refused.", "The provider did not sign this person in.", (R.SIGN_IN,)),
    "code_refused": Entry("The sign-in was refused.", "The provider does not know its own code.", (R.SIGN_IN,)),
    "link_used": Entry("The sign-in link is not valid.", "It was used, or it is too old.", (R.SIGN_IN,)),
    "wrong_host": Entry("The sign-in link works on this computer only.", "The address is another one.", (R.SIGN_IN,)),
    "provider_unavailable": Entry("The sign-in provider does not answer.", "It may be down.", (R.WAIT, R.ASK_ADMIN)),
    "not_allowed": Entry("This account may not sign in.", "It is on none of the lists.", (R.ASK_ADMIN,)),
    "disabled": Entry("This account is disabled.", "An administrator disabled it.", (R.ASK_ADMIN,)),
    "forbidden": Entry("This is not allowed.", "The account lacks the right.", (R.ASK_ADMIN,)),
    "cross_site": Entry("The request came from another site.", "Only our own pages may send it.", (R.FIX_REQUEST,)),
    "admin_by_settings": Entry("The role cannot be changed.", "The server's settings name it.", (R.ASK_ADMIN,)),
    "not_yourself": Entry("An administrator cannot do this to themselves.", "Another one can.", (R.ASK_ADMIN,)),
    "not_found": Entry("It does not exist.", "It was deleted, never was, or is not yours.", (R.RELOAD,)),
    "conflict": Entry("It changed meanwhile.", "Somebody else was first.", (R.RELOAD,)),
    "seq_taken": Entry("It changed meanwhile.", "Another event has this number.", (R.RELOAD,)),
    "already_answered": Entry("It is answered already.", "Each request is answered once.", (R.RELOAD,)),
    "busy": Entry("It is busy.", "Something is under way that must end first.", (R.WAIT,)),
    "export_under_way": Entry("An export is under way.", "One at a time is made.", (R.WAIT,)),
    "too_much": Entry("Too much at once.", "A bound was reached.", (R.WAIT,)),
    "slow_down": Entry("Too many requests.", "`Retry-After` says how many seconds to wait.", (R.WAIT,)),
    "not_queued": Entry("The message does not wait any more.", "The agent has it, or it was removed.", (R.RELOAD,)),
    "queue_changed": Entry("The message was edited meanwhile.", "Somebody else was first.", (R.RELOAD,)),
    "attachment_missing": Entry("An attached file is not there.", "It was moved or removed.", (R.FIX_REQUEST,)),
    "too_many_attachments": Entry("There are too many attachments.", "A message has at most 10.", (R.FIX_REQUEST,)),
    "picture_too_large": Entry(
        "A picture is too large for the model.",
        "It has at most 3.75 MB and 8,000 pixels a side, all of a message together 15 MB.",
        (R.FIX_REQUEST,),
    ),
    "no_branch": Entry(
        "Nothing can branch from this turn.", "It has no answer, or an old version ran it.", (R.RELOAD,)
    ),
    "queue_full": Entry("The queue is full.", "Too many messages wait in this session.", (R.WAIT,)),
    "too_many_sockets": Entry("Too many pages are open.", "A bound was reached.", (R.WAIT,)),
    "log_behind": Entry("The session's log is behind.", "The box holds less than was stored.", (R.NEW_SESSION,)),
    "unavailable": Entry("It does not answer now.", "Something we depend on is away.", (R.WAIT,)),
    "runner_unavailable": Entry("The user's box does not answer.", "It could not be started in time.", (R.WAIT,)),
    "store_unavailable": Entry("The store does not answer.", "Nothing was written.", (R.WAIT,)),
    "vault_unavailable": Entry("The vault does not answer.", "No secret was changed.", (R.WAIT,)),
    "gateway_unavailable": Entry("The gateway does not answer.", "It may be restarting.", (R.WAIT,)),
    "cluster_away": Entry("The cluster does not answer.", "It may be upgrading.", (R.WAIT, R.ASK_ADMIN)),
    "box_gone": Entry("The user's box is gone.", "A new one starts with the next request.", (R.RETRY,)),
    "box_ends": Entry("The user's box ended at its start.", "Its log says why.", (R.RETRY, R.ASK_ADMIN)),
    "box_none": Entry("There is no box.", "The cluster made none.", (R.WAIT, R.ASK_ADMIN)),
    "box_lingers": Entry("The old box is still ending.", "A new one starts after it.", (R.WAIT,)),
    "box_unmade": Entry("The box was not made.", "The cluster is slow to make it.", (R.WAIT, R.ASK_ADMIN)),
    "box_quota": Entry("There is no room for a box.", "The cluster's quota is used up.", (R.WAIT, R.ASK_ADMIN)),
    "box_no_machine": Entry("There is no machine for a box.", "The cluster has none free.", (R.WAIT, R.ASK_ADMIN)),
    "box_unprepared": Entry("The box was not prepared.", "Its image or its start failed.", (R.ASK_ADMIN,)),
    "box_no_volume": Entry("The box has no disk.", "The cluster did not provide it.", (R.WAIT, R.ASK_ADMIN)),
    "box_forbidden": Entry("The box was refused.", "The platform lacks a right in the cluster.", (R.ASK_ADMIN,)),
    "box_refused": Entry("The box was refused.", "The cluster does not take its description.", (R.ASK_ADMIN,)),
    "runner_outdated": Entry(
        "The agent's box cannot do this yet.", "It is of an earlier version; it ends when it rests.", (R.WAIT,)
    ),
    "stopping": Entry("The box is stopping.", "A new one starts with the next request.", (R.RETRY,)),
    "internal": Entry("The platform failed.", "The log says more.", (R.RETRY, R.ASK_ADMIN)),
    "misconfigured": Entry("The platform does not start.", "A setting is wrong; the line names it.", (R.ASK_ADMIN,)),
}

# Codes that our own processes say to each other, and that no person or client sees.
INTERNAL = frozenset(
    {
        *("bad_token", "bound", "dormant", "unknown_box", "gap", "proxy_token"),
        *("egress_refused", "egress_unreachable", "egress_unknown", "egress_name", "egress_port"),
        *("egress_list", "egress_address"),
    }
)


def may_retry(reason: str) -> bool:
    """True if the same message may succeed after a turn that ended with `reason`. Unknown reasons count as such."""
    entry = TURNS.get(reason)
    return entry is None or bool({Remedy.RETRY, Remedy.WAIT} & set(entry.remedies))


def remedies(code: str) -> tuple[Remedy, ...]:
    """Return the remedies of a code; a retry if this version does not know the code."""
    entry = TURNS.get(code) or REQUESTS.get(code)
    return entry.remedies if entry else (Remedy.RETRY,)


def markdown() -> str:
    """Return the table as a page of the documentation, in Markdown."""
    lines = [
        "# Errors",
        "",
        "Generated by `python -m core.domain.error_catalogue > docs/errors.md`. A test holds it.",
    ]
    for title, text, table in (
        ("Ends of a turn", "`reason` of `turn_finished`.", TURNS),
        ("Answers of pages and API", "`code` of `application/problem+json`; `helps` lists what helps.", REQUESTS),
    ):
        lines += [
            "",
            f"## {title}",
            "",
            text,
            "",
            "| code | what happened | what it means | what helps |",
            "|---|---|---|---|",
        ]
        for code, entry in table.items():
            helps = " Or: ".join(ADVICE[remedy] for remedy in entry.remedies)
            lines.append(f"| `{code}` | {entry.happened} | {entry.means} | {helps} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(markdown(), end="")
