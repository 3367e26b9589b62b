"""The settings of the embedded PostgreSQL, written into its configuration at each start."""

from apps.core.postgres_log import QUIET_LOG

# For two cores that are shared with the shop itself. Durability is not traded for speed: an order
# that was answered with 202 has reached the disk.
POSTGRES_SETTINGS = {
    "listen_addresses": "''",
    "max_connections": "300",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "8MB",
    "maintenance_work_mem": "64MB",
    "random_page_cost": "1.1",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "wal_buffers": "16MB",
    "min_wal_size": "256MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "checkpoint_completion_target": "0.9",
    "jit": "off",
    # Short statements in great number: a parallel plan would take the second core from the shop.
    "max_parallel_workers_per_gather": "0",
    # A hot SKU's row is updated thousands of times a second; its dead versions must not pile up.
    "autovacuum_naptime": "10s",
    "autovacuum_vacuum_scale_factor": "0.05",
    "autovacuum_vacuum_cost_limit": "1000",
    "log_lock_waits": "on",
    **QUIET_LOG,
    "log_line_prefix": "'%m [%p] %d '",
    "log_timezone": "UTC",
    "timezone": "UTC",
    "default_text_search_config": "'pg_catalog.english'",
}
