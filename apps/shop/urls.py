"""The addresses of the shop's pages (contract: Pages)."""

from django.urls import path

from apps.shop.views import account, cart, catalogue, checkout, orders, product, waiting_room

app_name = "shop"

urlpatterns = [
    path("", catalogue.home, name="home"),
    path("search/", catalogue.search, name="search"),
    path("c/<slug:slug>/", catalogue.category, name="category"),
    path("p/<slug:slug>/", product.product, name="product"),
    path("cart/", cart.cart, name="cart"),
    path("cart/lines/<path:sku>/", cart.line, name="cart-line"),
    path("cart/promo/", cart.promo, name="cart-promo"),
    path("checkout/", checkout.checkout, name="checkout"),
    path("queue/<slug:slug>/", waiting_room.waiting_room, name="waiting-room"),
    path("queue/<slug:slug>/place/", waiting_room.look, name="waiting-room-place"),
    path("orders/<uuid:order_id>/", orders.order, name="order"),
    path("orders/<uuid:order_id>/cancel/", orders.cancel_order, name="order-cancel"),
    path("orders/<uuid:order_id>/again/", orders.order_again, name="order-again"),
    path("orders/<uuid:order_id>/return/", orders.return_order, name="order-return"),
    path("account/", account.overview, name="account"),
    path("account/login/", account.sign_in, name="login"),
    path("account/register/", account.register, name="register"),
    path("account/logout/", account.sign_out, name="logout"),
    path("account/orders/", account.orders, name="account-orders"),
    path("account/addresses/", account.address_book, name="account-addresses"),
    path("account/addresses/new/", account.address, name="account-address-new"),
    path("account/addresses/<int:address_id>/", account.address, name="account-address"),
    path(
        "account/addresses/<int:address_id>/delete/",
        account.address_delete,
        name="account-address-delete",
    ),
    path(
        "account/addresses/<int:address_id>/default/",
        account.address_default,
        name="account-address-default",
    ),
    path("account/profile/", account.profile, name="account-profile"),
    path("account/password/reset/", account.password_reset, name="password-reset"),
    path("account/password/new/<str:uid>/<str:token>/", account.password_new, name="password-new"),
]
