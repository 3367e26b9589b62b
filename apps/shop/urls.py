"""The addresses of the shop's pages (contract: Pages)."""

from django.urls import URLPattern

app_name = "shop"

urlpatterns: list[URLPattern] = []
