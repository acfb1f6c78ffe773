"""The one door to C: the caller (`_call`), opening libraries (`_ffi`). See core.h for a call's round trip."""
