"""Settings under which PostgreSQL's log holds no personal data.

The embedded server is started with them; `check --deploy` compares any other server with them.
"""

# Django writes values into its statements: an e-mail address, a password's hash, a client secret.
# All of that stays out of the log; tests/tools/stack/test_server_logs.py tries each kind of error,
# and docs/security.md names the same settings for other servers.
QUIET_LOG = {
    # PANIC, not FATAL: PostgreSQL ends an idle transaction with FATAL. Lock waits obey it as well.
    "log_min_error_statement": "panic",
    # Without DETAIL ("Key (email)=(…) already exists", "Failing row contains (…)", the statements
    # of a deadlock, what a killed process was running) and without CONTEXT (rows of a COPY).
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_statement": "none",
    "log_min_duration_statement": "-1",
    "log_min_duration_sample": "-1",
    "log_transaction_sample_rate": "0",
}
