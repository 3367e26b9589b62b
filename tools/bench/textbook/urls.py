from django.urls import path

from tools.bench.textbook.views import checkout

urlpatterns = [path("api/v1/checkouts/", checkout)]
