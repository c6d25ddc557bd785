"""The values that every part of the platform speaks: records, events, states, errors, rules and host patterns."""
