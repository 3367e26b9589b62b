"""Celery: tasks say that there may be work; the work itself is kept in PostgreSQL (ADR 2)."""

from storefront.settings.base import STOREFRONT_HOME
from storefront.settings.environment import read
from storefront.settings.redis import REDIS_URL, redis_db


def broker_url() -> str:
    """The main Redis server, in the spelling that kombu understands."""
    if REDIS_URL.startswith("unix"):
        return REDIS_URL.replace("unix://", "redis+socket://", 1) + "?virtual_host=0"
    return redis_db(0)


CELERY_BROKER_URL = read("CELERY_BROKER_URL", str, broker_url())
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_timeout": 5,
    "socket_connect_timeout": 2,
    "visibility_timeout": 300,
}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
# A child that died keeps its slot of the prefetch for so many seconds. Celery's default of ten
# waits for results, which are not used here: after four deaths in a row the worker would take no
# task.
CELERY_WORKER_LOST_WAIT = 1.0
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# A task works for about ten seconds and leaves the rest to the next one. One that hangs for this
# long is ended with its process, which the pool replaces; another worker claims its rows when their
# lease ends.
CELERY_TASK_TIME_LIMIT = 300
CELERY_TASK_PUBLISH_RETRY = False  # a frozen broker must not block the process that enqueues
CELERY_TASK_DEFAULT_QUEUE = "background"
CELERY_TASK_ROUTES = {
    "orders.advance_sagas": {"queue": "checkout"},
    "payments.apply_webhooks": {"queue": "checkout"},
    # The sweep finds what a lost message left behind. It must not wait behind mail and the mirror.
    "orders.sweep": {"queue": "checkout"},
    "orders.expire_holds": {"queue": "checkout"},
    "payments.send_refunds": {"queue": "checkout"},
    "payments.gateway_recovered": {"queue": "checkout"},
    # The background worker takes from its queues in turn. A backlog of events to mirror enqueues
    # task after task; behind them in one queue the reconciler, which finds payments that no webhook
    # reported, ran too late.
    "payments.mirror_events": {"queue": "mirror"},
    "payments.reconcile": {"queue": "reconcile"},
}
QUEUES = {"checkout": ("checkout",), "background": ("background", "mirror", "reconcile")}
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE_FILENAME = str(STOREFRONT_HOME / "celerybeat-schedule")
# Celery compares the expiry with the worker's own clock: with an expiry of seconds, a worker whose
# clock is half a minute ahead would discard every task. An hour limits what gathers in the queues
# while no worker runs.
TASKS_EXPIRE_S = 3600
_EXPIRES = {"expires": TASKS_EXPIRE_S}
CELERY_BEAT_SCHEDULE = {
    # Messages get lost; these tasks find what is due all the same.
    "sweep": {"task": "orders.sweep", "schedule": 2.0, "options": _EXPIRES},
    "expire-holds": {"task": "orders.expire_holds", "schedule": 15.0, "options": _EXPIRES},
    "reconcile": {"task": "payments.reconcile", "schedule": 60.0, "options": _EXPIRES},
    "mirror": {"task": "payments.mirror_events", "schedule": 5.0, "options": _EXPIRES},
    "endpoint": {
        "task": "payments.keep_webhook_endpoint",
        "schedule": 300.0,
        "options": _EXPIRES,
    },
    "warm-sales": {"task": "flash_sales.warm_pages", "schedule": 60.0, "options": _EXPIRES},
    "mail": {"task": "notifications.deliver", "schedule": 5.0, "options": _EXPIRES},
    "forget-answers": {"task": "api.forget_answers", "schedule": 3600.0, "options": _EXPIRES},
    "forget-tokens": {
        "task": "customers.flush_expired_tokens",
        "schedule": 3600.0,
        "options": _EXPIRES,
    },
}
