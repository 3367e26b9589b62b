"""Addresses below /api/ (contract: HTTP API)."""

from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from apps.api import (
    auth,
    carts,
    catalog,
    checkouts,
    me,
    orders,
    waiting_rooms,
)
from apps.api.nowhere import Nowhere, WithoutSlash

v1 = [
    # First, because each address before it would be tried for every order.
    path("checkouts/", checkouts.Checkouts.as_view()),
    path("products/", catalog.Products.as_view()),
    path("products/<str:slug>/", catalog.OneProduct.as_view()),
    path("categories/", catalog.Categories.as_view()),
    path("carts/", carts.NewCart.as_view()),
    path("carts/<uuid:cart_id>/", carts.Cart.as_view()),
    # A SKU may hold a slash: shops export such.
    path("carts/<uuid:cart_id>/lines/<path:sku>/", carts.CartLine.as_view()),
    path("carts/<uuid:cart_id>/promo/", carts.CartPromo.as_view()),
    path("carts/<uuid:cart_id>/shipping-methods/", carts.ShippingMethods.as_view()),
    path("orders/", orders.MyOrders.as_view()),
    path("orders/<uuid:order_id>/", orders.OneOrder.as_view()),
    path("orders/<uuid:order_id>/status/", orders.OrderStatus.as_view()),
    path("orders/<uuid:order_id>/events/", orders.OrderEvents.as_view()),
    path("orders/<uuid:order_id>/payments/", orders.OrderPayments.as_view()),
    path("orders/<uuid:order_id>/cancel/", orders.CancelOrder.as_view()),
    path("orders/<uuid:order_id>/returns/", orders.OrderReturns.as_view()),
    path("waiting-rooms/<slug:slug>/", waiting_rooms.WaitingRoom.as_view()),
    path("auth/register/", auth.Register.as_view()),
    path("auth/token/", auth.Token.as_view()),
    path("auth/token/refresh/", auth.TokenRefresh.as_view()),
    path("auth/token/revoke/", auth.TokenRevoke.as_view()),
    path("me/", me.Me.as_view()),
    path("me/addresses/", me.Addresses.as_view()),
    path("me/addresses/<int:address_id>/", me.OneAddress.as_view()),
    # Not a dot, or an address with a line break would not end in a slash.
    re_path(r"^(?:[\s\S]*/)?\Z", Nowhere.as_view()),
    re_path(r"^", WithoutSlash.as_view()),
]

urlpatterns = [
    path("v1/", include(v1)),
    path("schema/", SpectacularAPIView.as_view(), name="api-schema"),
    path("docs/", SpectacularSwaggerSplitView.as_view(url_name="api-schema"), name="api-docs"),
]
