"""Users' secrets at Google: nobody's change is undone, nothing damaged is taken, nothing old is kept."""

from tests.guards.guard import Guard

FILE, HERE = "core/vault/google.py", "tests/core/vault/test_google.py"
CONTRACT = "tests/contract/test_vault.py"

GUARDS = (
    Guard(
        "a head is moved only as it was read", "S3", FILE, "name=found.name, etag=found.etag,", "name=found.name,",
        f"{HERE}::test_of_two_who_change_the_same_moment_one_begins_anew",
    ),
    Guard(
        "what seems done already is made sure of", "S3", FILE, "if not found or await _moved(client, found, found.head):", "if True:",
        f"{HERE}::test_what_seems_to_be_there_already_is_made_sure_of",
    ),
    Guard(
        "older versions of secrets are destroyed", "S3", FILE, "            await self._sweep(name, done)\n", "            pass\n",
        f"{HERE}::test_a_user_is_one_secret_in_one_region_with_one_living_version",
    ),
    Guard(
        "what came damaged is no secret", "S3", FILE, "    if google_crc32c.value(read.payload.data) != read.payload.data_crc32c:\n", "    if False:\n",
        f"{HERE}::test_what_comes_damaged_is_not_taken",
    ),
    Guard(
        "a user's id names no other secret", "S3", FILE, "        if not OWNER.fullmatch(owner):\n", "        if False:\n",
        f"{CONTRACT}::test_what_is_no_users_id_reaches_nothing[google-a/b]",
    ),
    Guard(
        "the newest version is not taken for the one that counts", "S3", FILE, "await _payload(client, name, head)", 'await _payload(client, name, "latest")',
        f"{HERE}::test_a_change_that_died_leaves_what_was_and_its_rest_is_destroyed_by_the_next",
    ),
)  # fmt: skip
