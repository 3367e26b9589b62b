"""The addresses of the pages (contract: Pages)."""

from django.urls import path

from apps.web.views import (
    cart,
    catalog,
    checkout,
    crawlers,
    order_again,
    orders,
    product,
    waiting_room,
)
from apps.web.views.account import address_book, password_reset, profile, sign_in
from apps.web.views.account import orders as account_orders

app_name = "web"

urlpatterns = [
    path("", catalog.home, name="home"),
    path("robots.txt", crawlers.robots, name="robots"),
    path("favicon.ico", crawlers.favicon, name="favicon"),
    path("sitemap.xml", crawlers.sitemap, name="sitemap"),
    path("sitemap-categories.xml", crawlers.sitemap_categories, name="sitemap-categories"),
    path("sitemap-products-<int:number>.xml", crawlers.sitemap_products, name="sitemap-products"),
    path("search/", catalog.search, name="search"),
    path("c/<slug:slug>/", catalog.category, name="category"),
    path("p/<slug:slug>/", product.product, name="product"),
    path("cart/", cart.cart, name="cart"),
    path("cart/lines/<path:sku>/", cart.line, name="cart-line"),
    path("cart/promo/", cart.promo, name="cart-promo"),
    path("checkout/", checkout.checkout, name="checkout"),
    path("queue/<slug:slug>/", waiting_room.waiting_room, name="waiting-room"),
    path("queue/<slug:slug>/place/", waiting_room.look, name="waiting-room-place"),
    path("orders/<uuid:order_id>/", orders.order, name="order"),
    path("orders/<uuid:order_id>/bank/", orders.to_the_bank, name="order-bank"),
    path("orders/<uuid:order_id>/back/", orders.back_from_bank, name="order-back"),
    path("orders/<uuid:order_id>/pay/", orders.pay_order, name="order-pay"),
    path("orders/<uuid:order_id>/cancel/", orders.cancel_order, name="order-cancel"),
    path("orders/<uuid:order_id>/again/", order_again.order_again, name="order-again"),
    path("orders/<uuid:order_id>/return/", orders.return_order, name="order-return"),
    path("account/", account_orders.overview, name="account"),
    path("account/login/", sign_in.sign_in, name="login"),
    path("account/register/", sign_in.register, name="register"),
    path("account/logout/", sign_in.sign_out, name="logout"),
    path("account/logout/everywhere/", sign_in.sign_out_everywhere, name="logout-everywhere"),
    path("account/orders/", account_orders.orders, name="account-orders"),
    path("account/addresses/", address_book.address_book, name="account-addresses"),
    path("account/addresses/new/", address_book.address, name="account-address-new"),
    path("account/addresses/<int:address_id>/", address_book.address, name="account-address"),
    path(
        "account/addresses/<int:address_id>/delete/",
        address_book.address_delete,
        name="account-address-delete",
    ),
    path(
        "account/addresses/<int:address_id>/default/",
        address_book.address_default,
        name="account-address-default",
    ),
    path("account/profile/", profile.profile, name="account-profile"),
    path("account/password/reset/", password_reset.password_reset, name="password-reset"),
    path(
        "account/password/new/<str:uid>/<str:token>/",
        password_reset.password_new,
        name="password-new",
    ),
]
