"""The admin's theme (Unfold)."""

from django.templatetags.static import static
from django.urls import reverse

from storefront.settings.base import SHOP_NAME

UNFOLD = {
    "SITE_TITLE": SHOP_NAME,
    "SITE_HEADER": SHOP_NAME,
    "SITE_SYMBOL": "storefront",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("favicon.svg")}
    ],
    "STYLES": [lambda request: static("admin/backoffice.css")],
    "SCRIPTS": [lambda request: static("admin/new_rows.js")],
    "DASHBOARD_CALLBACK": "apps.orders.admin.dashboard.dashboard",
    "SIDEBAR": {"navigation": "apps.orders.admin.navigation.sidebar"},
    "ACCOUNT": {
        "navigation": [
            {
                "title": "Change password",
                "link": lambda request: reverse("admin:password_change"),
            },
            {"title": "Second factor", "link": lambda request: reverse("staff-second-factor")},
        ]
    },
    # The shop's green, from light to dark.
    "COLORS": {
        "primary": {
            "50": "#f0f7f3",
            "100": "#dcebe3",
            "200": "#bbd8ca",
            "300": "#8dbda7",
            "400": "#5d9c83",
            "500": "#3d8069",
            "600": "#2b6553",
            "700": "#1f4a3e",
            "800": "#1b3f36",
            "900": "#16382f",
            "950": "#0b201b",
        },
    },
}
