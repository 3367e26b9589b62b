"""Every address of the shop."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.static import serve

from apps.backoffice.sign_in.second_factor_views import second_factor
from apps.backoffice.sign_in.views import confirm, sign_in
from apps.payments.webhooks import receive_webhook

urlpatterns = [
    # Before Django's own, which lets anybody guess as often as they like.
    path("admin/login/", sign_in),
    path("admin/confirm/", confirm, name="staff-confirm"),
    path("admin/second-factor/", second_factor, name="staff-second-factor"),
    path("admin/", admin.site.urls),
    path("api/", include("apps.api.urls")),
    # dj-stripe's URL, our thin view: its own costs three commits and calls Stripe in between.
    path("stripe/webhook/<uuid:uuid>/", receive_webhook, name="stripe-webhook"),
    path("", include("apps.core.health")),
    # Imported pictures. A proxy or a bucket serves them better; the shop works without one.
    path("media/<path:path>", serve, {"document_root": settings.MEDIA_ROOT}),
    path("", include("apps.web.urls")),
]

handler400 = "apps.web.views.errors.bad_request"
handler403 = "apps.web.views.errors.permission_denied"
handler404 = "apps.web.views.errors.not_found"
handler500 = "apps.web.views.errors.server_error"
