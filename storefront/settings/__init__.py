"""Settings of the shop, all from the environment (12-factor).

`DEBUG=1` means a developer's machine: the sandbox gateway, a secret key that everybody knows and
local host names are allowed. Without it the shop refuses to start on any default. A missing or
malformed value stops the start with one line that names it.

Each module holds the settings of one subject; Django sees all of them here. The modules import what
they need of each other, `environment` and `base` first.
"""

from storefront.settings.base import *
from storefront.settings.installed import *
from storefront.settings.databases import *
from storefront.settings.redis import *
from storefront.settings.celery import *
from storefront.settings.orders import *
from storefront.settings.stripe import *
from storefront.settings.accounts import *
from storefront.settings.api import *
from storefront.settings.mail import *
from storefront.settings.pages import *
from storefront.settings.security import *
from storefront.settings.backoffice import *
from storefront.settings.logging import *
