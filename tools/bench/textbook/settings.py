"""The shop's settings, with the textbook's one address."""

from storefront.settings import *  # noqa: F403

ROOT_URLCONF = "tools.bench.textbook.urls"
