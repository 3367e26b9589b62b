"""Libraries' models that have no page in the back office."""

from django.contrib import admin
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

# Their pages show the secret of a second factor to anyone who may view the table.
admin.site.unregister((TOTPDevice, StaticDevice))
# Which apps an account is signed in with is private to the account.
admin.site.unregister((OutstandingToken, BlacklistedToken))
